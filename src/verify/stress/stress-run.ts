import type { Ns } from "../../shared/units.js";
import type { KnownProtocol } from "../protocols.js";

/** What may be done to a run, to see it go wrong in the right way. */
export const FAULTS = [
  "writer-stalls",
  "writer-dies",
  "reader-killed",
  "writer-killed",
  "out-of-memory",
  "aba",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface StressOptions {
  readonly protocol: KnownProtocol;
  readonly readers: number;
  readonly pages: number;
  readonly durationNs: Ns;
  /** How often a read tries again before it gives up. */
  readonly maxRetries: number;
  readonly fault?: Fault;
  /** Ends the run early. */
  readonly signal?: AbortSignal;
  /** Heard some times a second. */
  readonly onProgress?: (progress: StressProgress) => void;
  /** Readers get pages of their own, which nobody writes: what a run that proves nothing looks like. */
  readonly readersApart?: boolean;
}

/** How far a run has come. */
export interface StressProgress {
  readonly elapsedNs: Ns;
  readonly updates: number;
  readonly reads: number;
  /** Reads that met the writer at work. */
  readonly overlaps: number;
  /** Of these, those that accepted an update of the steal alone. */
  readonly stealsMet: number;
  readonly torn: number;
}

/**
 * - clean: nothing torn, though readers met the writer at work
 * - torn: a torn value was accepted
 * - survived: a protocol that is known to be broken showed no tear here
 * - not repaired: a page that a dead writer left odd stays odd
 * - proved nothing: no reader met an odd version or a change in the middle of a read; or, where the protocol has a
 *   writeSteal(), none that did accepted an update of the steal alone
 * - stopped: ended early, before it proved anything
 */
export type Verdict = "clean" | "torn" | "survived" | "not repaired" | "proved nothing" | "stopped";

/** Of single operations, or of retries in single reads. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What came of one protocol, under full load. */
export interface StressRun {
  readonly protocol: string;
  readonly expected: KnownProtocol["expected"];
  readonly readers: number;
  readonly pages: number;
  readonly updates: number;
  /** Those of the updates that wrote the steal alone; null where the protocol has no writeSteal(). */
  readonly steals: number | null;
  readonly reads: number;
  /** Over all reads; a read that gave up counts with its bound. */
  readonly retries: number;
  readonly retriesPerRead: Spread;
  readonly gaveUp: number;
  /** Reads before or after which the version was seen odd. */
  readonly oddSeen: number;
  /** Reads across which the version was seen to change. */
  readonly changedSeen: number;
  /** Reads that met the writer at work and accepted an update of the steal alone; null as for steals. */
  readonly stealsMet: number | null;
  readonly torn: number;
  /** How many reads its reader had begun when the first torn value was accepted. */
  readonly firstTearAtRead: number | null;
  readonly durationNs: Ns;
  readonly updateNs: Spread;
  readonly readNs: Spread;
  readonly stoppedEarly: boolean;
  readonly verdict: Verdict;
  readonly fault: FaultReport | null;
}

/** What happened before, during and after a fault. */
export interface FaultReport {
  readonly name: Fault;
  readonly phases: readonly FaultPhase[];
}

export interface FaultPhase {
  readonly name: string;
  readonly updates: number;
  readonly reads: number;
  readonly accepted: number;
  readonly gaveUp: number;
  readonly torn: number;
}
