import type { BenchMachine } from "./machine.js";
import type { NoiseShares } from "./noise.js";

export const BENCH_SCHEMA = "stealclock.bench/1";

/** A run's figures: what --json prints and --save keeps. */
export interface BenchDocument {
  readonly schema: typeof BENCH_SCHEMA;
  readonly machine: BenchMachine;
  /** How many measured it all, one after the other; a row's figures are then the medians of theirs. */
  readonly processes: number;
  /** Over the whole run; null where /proc/stat can't be read. */
  readonly noise: (NoiseShares & { readonly limit: number }) | null;
  readonly results: readonly BenchResult[];
}

/** A row. Figures are null when this machine could not measure it: `note` says why. */
export interface BenchResult {
  readonly group: string;
  readonly name: string;
  readonly unit: string;
  /** Of the rounds' medians. */
  readonly median: number | null;
  /** Of all samples. */
  readonly p99: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly samples: number;
  /** The row of this group that it was divided by in each round. */
  readonly ratioTo: string | null;
  /** The median of the rounds' ratios. */
  readonly ratio: number | null;
  /** Each process's, or where there was one only each round's: what a comparison needs to tell a change from chance. */
  readonly ratioRounds: readonly number[];
  /** Each process's or round's figure, of a row that is a ratio in itself and has no ratio to another: what a comparison takes instead. */
  readonly rounds?: readonly number[];
  /** Of latencies: how many ns the given percentage of operations took at most. */
  readonly percentiles?: Readonly<Record<string, number>>;
  /** Others had more than 3 % of the machine meanwhile. */
  readonly noisy: boolean;
  readonly note?: string;
}
