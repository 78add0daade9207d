import { allocateMemory, type MachineMemory } from "../../shared/machine-memory.js";
import { GUEST_PAGE_BYTES } from "../../shared/pvclock-page.js";
import { PROTOCOL_WORDS } from "../protocol.js";
import { layFirstUpdate } from "./update-words.js";

/** What the threads of a run share: the pages, and beside them the words by which the run is led. */
export interface StressMemory {
  /** The pages, and after them one for each thread to try the protocol on. */
  readonly ram: MachineMemory;
  readonly pageCount: number;
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
  /** Updates that wrote the steal alone, modulo 2^32. */
  Steals: 5,
  /** Reads that met the writer at work and accepted such an update, modulo 2^32. */
  StealsMet: 6,
} as const;

export const ThreadState = {
  Loading: 0,
  ProbingWrite: 1,
  ProbingWriteSteal: 2,
  ProbingRead: 3,
  Ready: 4,
  Running: 5,
  Parked: 6,
  /** Its JavaScript has ended, however; its thread is about to. */
  Leaving: 7,
} as const;

/** Where a thread's words begin. @param slot 0 and on, one for each thread of a run */
export function threadBase(slot: number): number {
  return (3 + slot) * LINE_WORDS;
}

/**
 * Pages of update 0 at version 0.
 *
 * @param module the WebAssembly protocol's, which lives in the memory that it works on; null for any other
 */
export function createStressMemory(
  pageCount: number,
  threads: number,
  module: WebAssembly.Module | null = null,
): StressMemory {
  const ram = allocateMemory((pageCount + threads) * GUEST_PAGE_BYTES, threads, module);
  const control = new SharedArrayBuffer(threadBase(threads) * Int32Array.BYTES_PER_ELEMENT);
  const memory: StressMemory = { ram, pageCount, control };
  for (let page = 0; page < pageCount + threads; page++) layFirstUpdate(pageAt(memory, page));
  return memory;
}

/** The words of each page. */
export function pagesOf(memory: StressMemory): Int32Array[] {
  return Array.from({ length: memory.pageCount }, (_, page) => pageAt(memory, page));
}

/** A page that nobody but this thread touches. */
export function ownPageOf(memory: StressMemory, slot: number): Int32Array {
  return pageAt(memory, memory.pageCount + slot);
}

function pageAt({ ram }: StressMemory, page: number): Int32Array {
  return new Int32Array(ram.buffer, page * GUEST_PAGE_BYTES, PROTOCOL_WORDS);
}
