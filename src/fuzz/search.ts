import { Piscina } from "piscina";
import { usableCores } from "../engine/cores.js";
import type { SeedBatch } from "./fuzz-worker.js";
import { ENDS } from "./run-one.js";
import { addTally, emptyTally, type Tally } from "./tally.js";

/** Few enough that a stop is soon heard, enough that handing them over costs nothing. */
const SEEDS_A_BATCH = 25;
/** A batch takes a fraction of a second. One that takes this long is caught in a loop. */
const BATCH_TIMEOUT_MS = 120_000;

export interface SearchOptions {
  /** The compiled fuzz-worker.js: this program's, or that of a copy with a fault in it. */
  readonly workerFile: string;
  readonly seedFrom: number;
  readonly seeds: number;
  /** Stops when so many seeds have failed. */
  readonly maxFailures: number;
  readonly signal: AbortSignal;
  readonly onProgress: (tally: Tally) => void;
}

/** Runs the scenarios of a range of seeds over all cores. @returns what they showed, failures in order of their seeds */
export async function search(options: SearchOptions): Promise<Tally> {
  const threads = usableCores();
  const pool = new Piscina<SeedBatch, Tally>({
    filename: options.workerFile,
    minThreads: threads,
    maxThreads: threads,
  });
  const tally = emptyTally();
  const end = options.seedFrom + options.seeds;
  let next = options.seedFrom;
  const lane = async (): Promise<void> => {
    while (next < end && !options.signal.aborted && tally.failures.length < options.maxFailures) {
      const batch = { from: next, count: Math.min(SEEDS_A_BATCH, end - next) };
      next += batch.count;
      addTally(tally, await runBatch(pool, batch));
      options.onProgress(tally);
    }
  };
  try {
    await Promise.all(Array.from({ length: threads }, lane));
  } finally {
    await pool.destroy();
  }
  tally.failures.sort((a, b) => a.seed - b.seed);
  return tally;
}

/** A worker that dies or does not come back is a failure of its seeds. */
async function runBatch(pool: Piscina<SeedBatch, Tally>, batch: SeedBatch): Promise<Tally> {
  try {
    return await pool.run(batch, { signal: AbortSignal.timeout(BATCH_TIMEOUT_MS) });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const text = `one of the seeds ${batch.from} to ${batch.from + batch.count - 1}: its thread did not come back: ${why}`;
    return { ...emptyTally(), failures: [{ seed: batch.from, problems: [{ property: ENDS, text }] }] };
  }
}
