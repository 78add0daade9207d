import { loadProtocolModule } from "../../src/backend/protocol-module.js";
import { allocateMemory, type MachineMemory } from "../../src/shared/machine-memory.js";
import { GUEST_PAGE_BYTES, PVCLOCK_ALIGN_BYTES } from "../../src/shared/pvclock-page.js";
import type { Shape } from "./shapes.js";

/** What the threads of the bench share. */
export interface CrewMemory {
  readonly pages: MachineMemory;
  readonly control: SharedArrayBuffer;
}

/** Each in a cache line of its own, in words. */
export const ControlWord = {
  /** Counts the rounds: a thread sleeps until it moves. */
  Round: 0,
  /** How many threads of this round stand at the start. */
  AtStart: 16,
  /** The number of the round that may run. */
  Started: 32,
  /** The number of the last round that is over. */
  Ended: 48,
  HasWriter: 64,
  Readers: 65,
  Pages: 66,
} as const;

const CONTROL_WORDS = 80;
/** Structures 4 KiB apart would all fall into one set of the first cache. */
const PAGE_STRIDE_BYTES = GUEST_PAGE_BYTES + PVCLOCK_ALIGN_BYTES;

export function createCrewMemory(pages: number, threads: number): CrewMemory {
  return {
    pages: allocateMemory(pages * PAGE_STRIDE_BYTES, threads, loadProtocolModule()),
    control: new SharedArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT),
  };
}

/** Index of a page's version word. */
export function pageBase(page: number): number {
  return (page * PAGE_STRIDE_BYTES) / Int32Array.BYTES_PER_ELEMENT;
}

/** The main thread's side of the barrier. */
export class CrewControl {
  readonly #words: Int32Array;

  constructor({ control }: CrewMemory) {
    this.#words = new Int32Array(control);
  }

  /** Calls the threads of a shape to the start. */
  call({ hasWriter, readers, pages }: Shape): void {
    // Before the round is announced: who sees its number sees all of these.
    Atomics.store(this.#words, ControlWord.AtStart, 0);
    Atomics.store(this.#words, ControlWord.HasWriter, hasWriter ? 1 : 0);
    Atomics.store(this.#words, ControlWord.Readers, readers);
    Atomics.store(this.#words, ControlWord.Pages, pages);
    Atomics.add(this.#words, ControlWord.Round, 1);
    Atomics.notify(this.#words, ControlWord.Round);
  }

  get atStart(): number {
    return Atomics.load(this.#words, ControlWord.AtStart);
  }

  start(): void {
    Atomics.store(this.#words, ControlWord.Started, Atomics.load(this.#words, ControlWord.Round));
    Atomics.notify(this.#words, ControlWord.Started);
  }

  end(): void {
    Atomics.store(this.#words, ControlWord.Ended, Atomics.load(this.#words, ControlWord.Round));
  }
}
