import type { Attempts } from "../explore/attempts.js";
import type { Program, ProgramThread, Storing } from "../explore/program.js";
import type { ProtocolThreads, ReadResult } from "./protocol-threads.js";
import { type Start, wholeUpdates } from "./start.js";
import type { UpdateKind } from "./updates.js";

/** The writer's place among a program's threads. */
export const WRITER = 0;

/** What is explored: these updates, so many readers and retries, from this page. */
export interface Size {
  readonly start: Start;
  readonly updates: readonly UpdateKind[];
  readonly readers: number;
  readonly maxRetries: number;
}

/** How readers may be explored; see ProgramThread. */
export interface ReaderKind {
  readonly storing: Storing;
  readonly madeOfAttempts: boolean;
}

/**
 * One writer, and readers beside it. Readers are alike, and one stands for all, as long as no reader can change what another
 * loads: a result of one of several is a result of one by itself. Take the others away, and let what read from a
 * read-modify-write of theirs, which stored what it loaded, read from where that did: less is ordered, and nothing that was
 * allowed is forbidden by it.
 */
export function readProgram(threads: ProtocolThreads, size: Size, { storing, madeOfAttempts }: ReaderKind): Program {
  const { start, updates, maxRetries } = size;
  const writer: ProgramThread = {
    name: "writer",
    trie: threads.writer(start.begun.length + 1, updates),
    storing: "anything",
    attempts: null,
  };
  const reader = {
    trie: threads.reader(madeOfAttempts ? 0 : maxRetries),
    storing,
    attempts: madeOfAttempts ? attemptsOf(threads, size) : null,
  };
  const readers = storing === "anything" ? size.readers : 1;
  const names = readers === 1 ? ["reader"] : Array.from({ length: readers }, (_, index) => `reader ${index}`);
  return {
    initial: writer.trie.layout.pack(start.memory),
    threads: [writer, ...names.map((name) => ({ ...reader, name }))],
  };
}

function attemptsOf(threads: ProtocolThreads, { start, updates, maxRetries }: Size): Attempts {
  const whole = threads.reader(maxRetries);
  return {
    count: maxRetries + 1,
    whole,
    failed: (result) => (result as ReadResult).gaveUp,
    agree: (whole, last, attempt) => isSameResult(whole as ReadResult, last as ReadResult, attempt),
    pages: wholeUpdates(threads, start, updates).map(({ memory }) => whole.layout.pack(memory)),
  };
}

function isSameResult(whole: ReadResult, last: ReadResult, retries: number): boolean {
  if (whole.gaveUp || last.gaveUp) return whole.gaveUp === last.gaveUp;
  const same = whole.out.every((value, index) => value === last.out[index]);
  return same && whole.retries === last.retries + retries && whole.version === last.version;
}
