import type { Ns } from "../shared/units.js";

/** What was taken without a break, from the version of the baseline to that of the last read that carried the flag. */
export interface StealStretch {
  /** Index of the page's version word. */
  readonly base: number;
  readonly firstVersion: number;
  readonly lastVersion: number;
  readonly takenNs: Ns;
}
