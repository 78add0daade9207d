import type { Ns } from "./units.js";

/** What nextDeadline is when nothing is due, ever. */
export const NEVER = Number.POSITIVE_INFINITY;

/**
 * One deadline for each of a fixed set of slots, earliest first: an indexed binary heap over typed arrays. Setting a slot
 * again moves it; nothing is allocated after construction. Equal deadlines come out in the order of their slots, so that
 * a run repeats itself.
 */
export class DeadlineHeap {
  readonly #deadlines: Float64Array;
  /** Heap position to slot. */
  readonly #heap: Int32Array;
  /** Slot to heap position, -1 while it has no deadline. */
  readonly #positions: Int32Array;
  #size = 0;

  constructor(slots: number) {
    this.#deadlines = new Float64Array(slots);
    this.#heap = new Int32Array(slots);
    this.#positions = new Int32Array(slots).fill(-1);
  }

  /** The earliest deadline, or NEVER. */
  get earliest(): Ns {
    return this.#size === 0 ? NEVER : this.#deadlines[this.#heap[0]];
  }

  /** The slot with the earliest deadline. Only while there is one. */
  get earliestSlot(): number {
    return this.#heap[0];
  }

  /** @param deadline NEVER clears the slot */
  set(slot: number, deadline: Ns): void {
    if (deadline === NEVER) {
      this.clear(slot);
      return;
    }
    this.#deadlines[slot] = deadline;
    let position = this.#positions[slot];
    if (position < 0) {
      position = this.#size++;
      this.#place(slot, position);
    }
    this.#siftDown(this.#siftUp(position));
  }

  clear(slot: number): void {
    const position = this.#positions[slot];
    if (position < 0) return;
    this.#positions[slot] = -1;
    this.#size--;
    if (position === this.#size) return;
    this.#place(this.#heap[this.#size], position);
    this.#siftDown(this.#siftUp(position));
  }

  #siftUp(from: number): number {
    const slot = this.#heap[from];
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (!this.#before(slot, this.#heap[parent])) break;
      this.#place(this.#heap[parent], position);
      position = parent;
    }
    this.#place(slot, position);
    return position;
  }

  #siftDown(from: number): void {
    const slot = this.#heap[from];
    let position = from;
    for (let child = 2 * position + 1; child < this.#size; child = 2 * position + 1) {
      if (child + 1 < this.#size && this.#before(this.#heap[child + 1], this.#heap[child])) child++;
      if (!this.#before(this.#heap[child], slot)) break;
      this.#place(this.#heap[child], position);
      position = child;
    }
    this.#place(slot, position);
  }

  #before(a: number, b: number): boolean {
    const difference = this.#deadlines[a] - this.#deadlines[b];
    return difference < 0 || (difference === 0 && a < b);
  }

  #place(slot: number, position: number): void {
    this.#heap[position] = slot;
    this.#positions[slot] = position;
  }
}
