import type { AccountingName, Hz } from "../../src/engine/scenario.js";
import type { Loop } from "../harness/loop.js";
import { bootBenchGuest } from "./bench-guest.js";

/**
 * One tick after the other: accounting, with its read of the page where it has one, the clock, and the watchdog's look. Nothing
 * was stolen in between, as in most ticks of a machine that is not overcommitted.
 */
export function tickLoop(accounting: AccountingName, hz: Hz): Loop {
  let now = 0;
  const guest = bootBenchGuest(accounting, hz, { nowNs: () => now });
  return (count) => {
    const { ticks } = guest;
    for (let i = 0; i < count; i++) {
      now = guest.nextTick;
      guest.advance(now);
    }
    return guest.ticks - ticks;
  };
}
