import type { Graph } from "./graph.js";
import type { Storing, ThreadOutcome } from "./program.js";

/** A whole execution; valid while it is being looked at. */
export interface Execution {
  readonly graph: Graph;
  /** By thread; null for those that were left out, each being explored alone. */
  readonly outcomes: readonly (ThreadOutcome | null)[];
}

export interface ExploreSummary {
  /** Executions: ways in which all loads that count got their values, with the orders of stores. */
  readonly executions: number;
  /** Graphs looked at on the way. */
  readonly steps: number;
}

/** A thread stores more than it was said to. */
export class ThreadStores extends Error {
  /** @param storing what it does store, at least */
  constructor(
    readonly thread: number,
    readonly storing: Storing,
  ) {
    super(`thread ${thread} stores ${storing}`);
  }
}
