import type { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";

/** In place of a time: the page has another version by now than when it was read. */
export const PAGE_CHANGED = -1;
/** In place of a time: not even the guard's value could be read. */
export const GUARD_HELD = -2;

/** What a guest's clock makes of the words that its thread read last, and of a TSC. */
export interface PvclockArithmetic {
  /** The last reading before the guard; what raise returned, if that came after it. */
  readonly rawNs: Ns;
  /**
   * Ns by the words and a TSC that was read after them, guarded unless the page says that it need not be.
   *
   * @param base index of the page's version word
   * @param cycles the TSC; may be overwritten
   * @returns PAGE_CHANGED, GUARD_HELD, or a time
   */
  clockNs(base: number, cycles: U64): Ns;
  /** The guard alone. @returns ns, or the largest value given out on any CPU if that is more; GUARD_HELD */
  raise(ns: Ns): Ns;
}
