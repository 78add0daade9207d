import type { Attempts } from "./attempts.js";
import type { ThreadTrie } from "./thread-trie.js";

/**
 * What a thread stores: `nothing`, so that it is explored alone, against all that the others stored; `what it loaded`,
 * by read-modify-writes that change no value; or `anything`. The explorer throws ThreadStores when it finds more.
 */
export const STORING = ["nothing", "what it loaded", "anything"] as const;
export type Storing = (typeof STORING)[number];

/** A thread of a program, and how it may be explored. */
export interface ProgramThread {
  readonly name: string;
  readonly trie: ThreadTrie;
  readonly storing: Storing;
  /** When its trie is one attempt of several: it begins again, having forgotten all but its looks at the version. */
  readonly attempts: Attempts | null;
}

export interface Program {
  /** What each location holds at first. */
  readonly initial: readonly number[];
  readonly threads: readonly ProgramThread[];
}

/** How a thread ended. */
export interface ThreadOutcome {
  /** What its last attempt returned. */
  readonly result: unknown;
  /** Attempts that failed, by the version that they found first: odd, or even and changed later. */
  readonly oddRetries: number;
  readonly changeRetries: number;
}

/** The location that holds the version. */
export const VERSION_LOCATION = 0;
