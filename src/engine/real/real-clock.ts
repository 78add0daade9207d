import type { Clock } from "../../shared/clock.js";
import { NS_PER_SECOND, type Ns } from "../../shared/units.js";

/** Seconds and nanoseconds of process.hrtime at the run's origin: one for all threads, whose own origins differ. */
export type ClockOrigin = readonly [number, number];

/** The machine's monotonic clock, counted from the run's origin. A call allocates. */
export class RealClock implements Clock {
  readonly #origin: [number, number];

  constructor(origin: ClockOrigin) {
    this.#origin = [origin[0], origin[1]];
  }

  nowNs(): Ns {
    const [seconds, ns] = process.hrtime(this.#origin);
    return seconds * NS_PER_SECOND + ns;
  }
}

/** What a call of the clock costs, ns: the least mean of several batches, so that a descheduled one does not count. */
export function measureClockCostNs(clock: Clock): number {
  const calls = 50;
  let leastNs = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < 5; batch++) {
    const before = clock.nowNs();
    for (let call = 0; call < calls; call++) clock.nowNs();
    leastNs = Math.min(leastNs, (clock.nowNs() - before) / (calls + 1));
  }
  return leastNs;
}
