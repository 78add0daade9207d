import { PAGE_WORDS, STEAL_MS_WORD } from "../../src/shared/pvclock-page.js";
import type { Loop } from "../harness/loop.js";
import type { Alternative } from "./alternative.js";
import { shippedPage } from "./shipped-page.js";
import { taken } from "./taken.js";

const MAX_RETRIES = 10_000;

// The protocol as the emulator runs it by default: a WebAssembly module, whose atomic accesses V8 compiles in place, 64 bits
// at a time. Version and steal share one access. KVM's pvclock page is written so, and every guest with kvmclock depends on it.
export const SHIPPED: Alternative = {
  name: "shipped",
  update() {
    const { protocol, base } = shippedPage();
    const { values } = protocol;
    return (count) => {
      let version = 0;
      for (let i = 0; i < count; i++) {
        values[STEAL_MS_WORD] = i;
        version = protocol.write(base, PAGE_WORDS, null);
      }
      return version;
    };
  },
  read() {
    const { protocol, base } = shippedPage();
    const { words } = protocol;
    return (count) => {
      let all = 0;
      for (let i = 0; i < count; i++) all ^= protocol.read(base, PAGE_WORDS, MAX_RETRIES) ^ taken(words);
      return all;
    };
  },
};

/** One load, and so hardly more than what a call into the module costs. */
export function versionCheckLoop(): Loop {
  const { protocol, base } = shippedPage();
  const version = protocol.write(base, PAGE_WORDS, null);
  return (count) => {
    let unchanged = 0;
    for (let i = 0; i < count; i++) if (protocol.versionUnchanged(base, version)) unchanged++;
    return unchanged;
  };
}

/** Updates that change the steal alone: one store each. */
export function stealOnlyLoop(): Loop {
  const { protocol, base } = shippedPage();
  return (count) => {
    let version = 0;
    for (let i = 0; i < count; i++) version = protocol.writeSteal(base, i);
    return version;
  };
}
