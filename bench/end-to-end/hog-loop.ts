import type { AccountingName, Hz } from "../../src/engine/scenario.js";
import type { Loop } from "../harness/loop.js";
import { bootBenchGuest } from "./bench-guest.js";

/** Steps of a unit of work: some ten microseconds, as the real engine's guests work between looks at the clock. */
const STEPS = 10_000;

/**
 * A hog on the machine's own clock: a unit of work, a look at the clock, and the tick when one is due.
 *
 * @param accounting null for a hog that no tick interrupts
 */
export function hogLoop(accounting: AccountingName | null, hz: Hz): Loop {
  const originNs = process.hrtime.bigint();
  let now = 0;
  const guest = accounting === null ? null : bootBenchGuest(accounting, hz, { nowNs: () => now });
  let state = 1;
  return (count) => {
    for (let unit = 0; unit < count; unit++) {
      for (let step = 0; step < STEPS; step++) state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      now = Number(process.hrtime.bigint() - originNs);
      if (guest !== null && now >= guest.nextTick) guest.advance(now);
    }
    return state;
  };
}
