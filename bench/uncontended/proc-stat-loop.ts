import { PAGE_WORDS, STEAL_MS_WORD } from "../../src/shared/pvclock-page.js";
import { shippedPage } from "../alternatives/shipped-page.js";
import type { Loop } from "../harness/loop.js";

/** /proc/stat counts in ticks of USER_HZ, 100 a second. */
const MS_PER_TICK = 10;
const MAX_RETRIES = 10_000;

/** One CPU's line of /proc/stat, with the steal of a read of its page: ten columns, the steal in the eighth. */
export function procStatLoop(): Loop {
  const { protocol, base } = shippedPage();
  const { words } = protocol;
  let userTicks = 0;
  return (count) => {
    let all = 0;
    for (let i = 0; i < count; i++) {
      protocol.read(base, PAGE_WORDS, MAX_RETRIES);
      const stealTicks = Math.floor((words[STEAL_MS_WORD] >>> 0) / MS_PER_TICK);
      userTicks = (userTicks + 1) % 1_000_000;
      const line = `cpu0 ${userTicks} 0 1200 34000 0 0 0 ${stealTicks} 0 0\n`;
      // A look at one character has V8 put the line together, which it leaves otherwise as a tree of its parts.
      all ^= line.charCodeAt(userTicks & 7);
    }
    return all;
  };
}
