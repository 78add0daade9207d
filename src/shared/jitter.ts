import type { RandomStream } from "./random-stream.js";
import type { Ns } from "./units.js";

/** How far the lengths of bursts stray from what they are said to be, and by whose chance. */
export interface Jitter {
  /** 0 to 50: at most this part of the length, either way. */
  readonly percent: number;
  readonly random: RandomStream;
}

/** One burst's length. */
export function burstNs(lengthNs: Ns, jitter: Jitter | null): Ns {
  if (jitter === null) return lengthNs;
  const deviationNs = Math.floor((lengthNs * jitter.percent) / 100);
  return lengthNs - deviationNs + jitter.random.below(2 * deviationNs + 1);
}
