import type { Ns } from "./units.js";

/**
 * The one clock of a run, counted from its origin. The real engine reads the machine's monotonic clock, the virtual
 * engine its own. Only drivers and the guest's TSC are handed one; every other class is told the time.
 */
export interface Clock {
  nowNs(): Ns;
}
