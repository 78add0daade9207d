import { do_not_optimize as keep, measure } from "mitata";
import type { Effort } from "./trial.js";

/**
 * Does one operation so many times. The result depends on each of them, so that a compiler has to do them all. Every row
 * has a loop function of its own: one that all share would call through a site that knows none of them.
 */
export type Loop = (count: number) => unknown;

const FIRST_COUNT = 64;
/** Counts are raised by so much over the need: a loop gets faster after it was timed. */
const MARGIN = 1.25;

function timeNs(loop: Loop, count: number): number {
  const startNs = process.hrtime.bigint();
  keep(loop(count));
  return Number(process.hrtime.bigint() - startNs);
}

/** Runs a loop until the compiler has settled. @returns how many operations take at least a batch's time */
export function warmUp(loop: Loop, { batchNs, warmUpNs }: Effort): number {
  let count = FIRST_COUNT;
  let spentNs = 0;
  let fastestNs = Number.POSITIVE_INFINITY;
  while (spentNs < warmUpNs || fastestNs * count < batchNs) {
    const ns = timeNs(loop, count);
    spentNs += ns;
    fastestNs = Math.min(fastestNs, ns / count);
    // By the fastest, which an interruption can't touch: a loop that took long enough once may never do so again.
    if (fastestNs * count < batchNs) count *= 2;
  }
  return Math.ceil((batchNs * MARGIN) / fastestNs);
}

/**
 * One round of a row: mitata times `samplesPerRound` batches, after one that it throws away.
 *
 * @returns ns per operation, of each batch
 */
export async function measureLoop(loop: Loop, count: number, { samplesPerRound }: Effort): Promise<number[]> {
  // No collection is forced between rows: mitata would fill a gigabyte where it may not call the collector.
  const { samples } = await measure(() => keep(loop(count)), {
    gc: false,
    min_samples: samplesPerRound,
    max_samples: samplesPerRound,
    min_cpu_time: 0,
    // It would cut off the ends of a longer list.
    samples_threshold: samplesPerRound,
    // A batch is one call.
    batch_threshold: 0,
  });
  return samples.map((ns) => ns / count);
}
