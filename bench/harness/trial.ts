import type { RecordableHistogram } from "node:perf_hooks";

/** What a row of the tables is called, before anything has been measured. */
export interface RowSpec {
  readonly name: string;
  /** "ns/op", "updates/s" and so on. */
  readonly unit: string;
  /** The row of the same group that this one is divided by, round by round. */
  readonly ratioTo: string | null;
}

/** How much is measured. */
export interface Effort {
  readonly quick: boolean;
  readonly rounds: number;
  /** Of each row in one thread, in each round. */
  readonly samplesPerRound: number;
  /** A sample is a batch of operations that takes at least so long: the clock's own grain must not show. */
  readonly batchNs: number;
  /** How long a loop runs before its first round, at least. */
  readonly warmUpNs: number;
  /** How long threads run against each other, in each round. */
  readonly windowMs: number;
}

/** What one round of a row found: single figures, or a histogram of whole ns. */
export type RoundFigures = readonly number[] | RecordableHistogram;

/** Something that is measured once in each round, and fills one row or several. */
export interface TrialPlan {
  readonly rows: readonly RowSpec[];
  /** Builds and warms up what is measured; or says why this machine cannot. */
  open(effort: Effort): Promise<Trial | Unavailable>;
}

/** A plan that is ready to be measured. */
export interface Trial {
  /** @returns the figures of each row, in the plan's order; a row that saw nothing to measure has none */
  round(): Promise<readonly RoundFigures[]>;
  close?(): Promise<void> | void;
}

/** Why rows have no figures. */
export class Unavailable {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** A row that is computed from others of its group, round by round. */
export interface DerivedRow extends RowSpec {
  readonly from: readonly string[];
  /** @param values one of each row in `from`, in order */
  derive(values: readonly number[]): number;
}

/** Rows that are measured together, in interleaved rounds: their ratios survive a drift of the machine's speed. */
export interface Group {
  readonly name: string;
  /** Rounds take long in some groups: these have fewer. */
  rounds(effort: Effort): number;
  plans(effort: Effort): readonly TrialPlan[];
  derived(effort: Effort): readonly DerivedRow[];
}
