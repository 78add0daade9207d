import type { RecordableHistogram } from "node:perf_hooks";
import type { ReadTally } from "./read-tally.js";
import type { StressMemory } from "./stress-memory.js";

/** What may be done to a thread in the middle of its work, and to which. */
export type ThreadFault = "stalls" | "dies" | "runs out of memory";

/** What a thread of a run is started with. */
export interface ThreadTask {
  readonly role: "writer" | "reader";
  /** Which words of control memory are its own. */
  readonly slot: number;
  /** The protocol's module. */
  readonly file: string;
  readonly memory: StressMemory;
  /** The page to begin with. */
  readonly firstPage: number;
  readonly maxRetries: number;
  readonly fault: ThreadFault | null;
}

/** What a thread sends. Errors cross as text. */
export type ThreadMessage =
  | { readonly kind: "ready"; readonly repairs: boolean; readonly writesSteal: boolean }
  /** The protocol did what a protocol must not. */
  | { readonly kind: "protocol failed"; readonly message: string }
  | { readonly kind: "report"; readonly report: ThreadReport };

export interface ThreadReport {
  readonly role: ThreadTask["role"];
  /** Updates or reads. */
  readonly done: number;
  /** How long single updates or reads took, in ns, one in LATENCY_EVERY of them. */
  readonly latency: RecordableHistogram;
  /** What a reader counted, by phase of the run; none for a writer. */
  readonly tallies: readonly ReadTally[];
  /** retryCounts[n]: how many reads took n retries. */
  readonly retryCounts: Float64Array;
}

/** One operation in so many is timed: looking at the clock costs as much as a read. */
export const LATENCY_EVERY = 64;
