import { GUEST_PAGE_BYTES } from "../../shared/pvclock-page.js";
import { PROTOCOL_WORDS } from "../protocol.js";
import { layFirstUpdate } from "./update-words.js";

/** What the threads of a run share: the pages, and beside them the words by which the run is led. */
export interface StressMemory {
  readonly pages: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
}

/** Words of a cache line: what different threads write stands in different lines. */
const LINE_WORDS = 16;

/** Closed until all threads are ready, so that all sides run at once. */
export const GATE_WORD = 0;
/** The phase that the run is in, from 0 on, or STOP. */
export const COMMAND_WORD = LINE_WORDS;
/** How far a fault has come: one of FaultState. */
export const FAULT_WORD = 2 * LINE_WORDS;

export const GATE_CLOSED = 0;
export const GATE_OPEN = 1;
export const STOP = -1;
export const PHASES = 3;

export const FaultState = { Unarmed: 0, Armed: 1, Struck: 2, Over: 3 } as const;

/** The words of one thread: it alone writes them. */
export const ThreadWord = {
  /** One of ThreadState. */
  State: 0,
  /** Updates or reads done, modulo 2^32. */
  Done: 1,
  GaveUp: 2,
  /** Reads that met an odd version or a change, modulo 2^32. */
  Overlaps: 3,
  Torn: 4,
} as const;

export const ThreadState = {
  Loading: 0,
  ProbingWrite: 1,
  ProbingRead: 2,
  Ready: 3,
  Running: 4,
  Parked: 5,
  /** Its JavaScript has ended, however; its thread is about to. */
  Leaving: 6,
} as const;

/** Where a thread's words begin. @param slot 0 and on, one for each thread of a run */
export function threadBase(slot: number): number {
  return (3 + slot) * LINE_WORDS;
}

/** Pages of update 0 at version 0. */
export function createStressMemory(pageCount: number, threads: number): StressMemory {
  const pages = new SharedArrayBuffer(pageCount * GUEST_PAGE_BYTES);
  for (const words of pagesOf(pages)) layFirstUpdate(words);
  return { pages, control: new SharedArrayBuffer(threadBase(threads) * Int32Array.BYTES_PER_ELEMENT) };
}

/** The words of each page. */
export function pagesOf(pages: SharedArrayBuffer): Int32Array[] {
  const pageCount = pages.byteLength / GUEST_PAGE_BYTES;
  return Array.from({ length: pageCount }, (_, page) => new Int32Array(pages, page * GUEST_PAGE_BYTES, PROTOCOL_WORDS));
}
