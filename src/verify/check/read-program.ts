import type { Program, ProgramThread, Storing } from "../explore/program.js";
import type { ProtocolThreads, ReadResult } from "./protocol-threads.js";
import type { Start } from "./start.js";

/** The writer's place among a program's threads. */
export const WRITER = 0;

/** What is explored: so many updates, readers and retries, from this page. */
export interface Size {
  readonly start: Start;
  readonly updates: number;
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
    trie: threads.writer(start.firstUpdate, updates),
    storing: "anything",
    attempts: null,
  };
  const reader = {
    trie: threads.reader(madeOfAttempts ? 0 : maxRetries),
    storing,
    attempts: madeOfAttempts ? { count: maxRetries + 1, failed } : null,
  };
  const readers = storing === "anything" ? size.readers : 1;
  const names = readers === 1 ? ["reader"] : Array.from({ length: readers }, (_, index) => `reader ${index}`);
  return { initial: start.memory, threads: [writer, ...names.map((name) => ({ ...reader, name }))] };
}

function failed(result: unknown): boolean {
  return (result as ReadResult).gaveUp;
}
