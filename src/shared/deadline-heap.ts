import type { Ns } from "./units.js";

/** What nextDeadline is when nothing is due, ever. */
export const NEVER = Number.POSITIVE_INFINITY;

/** Each place has this many below it: fewer levels than with two, and their deadlines lie side by side. */
const CHILDREN = 4;

/**
 * One deadline for each of a fixed set of slots, earliest first: an indexed heap over typed arrays. Setting a slot
 * again moves it; nothing is allocated after construction. Equal deadlines come out in the order of their slots, so that
 * a run repeats itself.
 */
export class DeadlineHeap {
  /** By place in the heap. */
  readonly #deadlines: Float64Array;
  readonly #slots: Int32Array;
  /** By slot: its place, -1 while it has no deadline. */
  readonly #places: Int32Array;
  #size = 0;

  constructor(slots: number) {
    this.#deadlines = new Float64Array(slots);
    this.#slots = new Int32Array(slots);
    this.#places = new Int32Array(slots).fill(-1);
  }

  /** The earliest deadline, or NEVER. */
  get earliest(): Ns {
    return this.#size === 0 ? NEVER : this.#deadlines[0];
  }

  /** The slot with the earliest deadline. Only while there is one. */
  get earliestSlot(): number {
    return this.#slots[0];
  }

  /** @param deadline NEVER clears the slot */
  set(slot: number, deadline: Ns): void {
    if (deadline === NEVER) {
      this.clear(slot);
      return;
    }
    const place = this.#places[slot];
    this.#settle(slot, deadline, place < 0 ? this.#size++ : place);
  }

  clear(slot: number): void {
    const place = this.#places[slot];
    if (place < 0) return;
    this.#places[slot] = -1;
    const last = --this.#size;
    if (place !== last) this.#settle(this.#slots[last], this.#deadlines[last], place);
  }

  /** Puts a slot where it belongs, starting from a place that is free. */
  #settle(slot: number, deadline: Ns, from: number): void {
    const place = this.#makeRoomAbove(slot, deadline, from);
    this.#put(slot, deadline, place === from ? this.#makeRoomBelow(slot, deadline, from) : place);
  }

  /** Moves whoever is later down into the free place. @returns the place that is free then */
  #makeRoomAbove(slot: number, deadline: Ns, from: number): number {
    let place = from;
    while (place > 0) {
      const parent = ((place - 1) / CHILDREN) | 0;
      if (!this.#isEarlier(slot, deadline, parent)) break;
      this.#put(this.#slots[parent], this.#deadlines[parent], place);
      place = parent;
    }
    return place;
  }

  /** Moves whoever is earlier up into the free place. @returns the place that is free then */
  #makeRoomBelow(slot: number, deadline: Ns, from: number): number {
    let place = from;
    for (let first = CHILDREN * place + 1; first < this.#size; first = CHILDREN * place + 1) {
      const child = this.#earliestOf(first);
      if (this.#isEarlier(slot, deadline, child)) break;
      this.#put(this.#slots[child], this.#deadlines[child], place);
      place = child;
    }
    return place;
  }

  /** The earliest of the children that start at a place. */
  #earliestOf(first: number): number {
    const end = Math.min(first + CHILDREN, this.#size);
    let earliest = first;
    for (let child = first + 1; child < end; child++) {
      if (this.#isEarlier(this.#slots[child], this.#deadlines[child], earliest)) earliest = child;
    }
    return earliest;
  }

  #isEarlier(slot: number, deadline: Ns, place: number): boolean {
    const other = this.#deadlines[place];
    return deadline < other || (deadline === other && slot < this.#slots[place]);
  }

  #put(slot: number, deadline: Ns, place: number): void {
    this.#deadlines[place] = deadline;
    this.#slots[place] = slot;
    this.#places[slot] = place;
  }
}
