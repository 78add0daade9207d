import { MAX_EVENTS } from "./relation.js";

/** The thread of the initial values: no thread's. */
const NO_THREAD = -1;
/** readsFrom of what does not read. */
export const READS_NOTHING = -1;

/** A store that a load has read from before its thread got there. */
export interface Promised {
  readonly thread: number;
  /** Which of the thread's stores it will be. */
  readonly ordinal: number;
  readonly location: number;
  readonly value: number;
  /** Its event, once the thread got there; -1 before. */
  event: number;
}

/**
 * An execution as far as it has come: events in program order, which store each read reads from, and for each location
 * the order of its stores. The first events are the initial values, one for each location. Events are added at
 * the end and taken away from there.
 */
export class Graph {
  readonly locations: number;
  count = 0;
  readonly thread = new Int16Array(MAX_EVENTS);
  /** Index in its thread's program order. */
  readonly place = new Int16Array(MAX_EVENTS);
  readonly location = new Int16Array(MAX_EVENTS);
  readonly isRead = new Uint8Array(MAX_EVENTS);
  readonly isWrite = new Uint8Array(MAX_EVENTS);
  readonly isAtomic = new Uint8Array(MAX_EVENTS);
  /** A read-modify-write, also one whose compareExchange failed and which stored nothing. */
  readonly isLocked = new Uint8Array(MAX_EVENTS);
  readonly loaded = new Float64Array(MAX_EVENTS);
  readonly stored = new Float64Array(MAX_EVENTS);
  /** The event that a read reads from; READS_NOTHING; or below that -2 - the number of a promise not yet kept. */
  readonly readsFrom = new Int16Array(MAX_EVENTS);
  /** By thread, in program order. */
  readonly byThread: number[][];
  /** By location, every store: the initial one first, then as they were added. */
  readonly writes: number[][];
  /** By location, the stores that the model puts in order, the initial one first. */
  readonly coherence: number[][];
  /** By thread. */
  readonly storeCount: number[];
  readonly promises: Promised[] = [];

  constructor(initial: readonly number[], threads: number) {
    this.locations = initial.length;
    this.byThread = Array.from({ length: threads }, () => []);
    this.storeCount = new Array<number>(threads).fill(0);
    this.writes = initial.map((_, location) => [location]);
    this.coherence = initial.map((_, location) => [location]);
    for (const [location, value] of initial.entries()) {
      this.thread[location] = NO_THREAD;
      this.location[location] = location;
      this.isWrite[location] = 1;
      this.stored[location] = value;
      this.readsFrom[location] = READS_NOTHING;
    }
    this.count = initial.length;
  }

  isInitial(event: number): boolean {
    return this.thread[event] === NO_THREAD;
  }

  isPending(event: number): boolean {
    return this.readsFrom[event] < READS_NOTHING;
  }

  /** @returns the new event; it is no store yet and reads nothing */
  add(thread: number, location: number, isAtomic: boolean): number {
    if (this.count >= MAX_EVENTS) throw new RangeError(`an execution of more than ${MAX_EVENTS} events`);
    const event = this.count++;
    const own = this.byThread[thread];
    this.thread[event] = thread;
    this.place[event] = own.length;
    this.location[event] = location;
    this.isRead[event] = 0;
    this.isWrite[event] = 0;
    this.isLocked[event] = 0;
    this.isAtomic[event] = isAtomic ? 1 : 0;
    this.readsFrom[event] = READS_NOTHING;
    own.push(event);
    return event;
  }

  /** Makes the newest event read from a store. */
  readFrom(event: number, source: number): void {
    this.isRead[event] = 1;
    this.readsFrom[event] = source;
    this.loaded[event] = this.stored[source];
  }

  /** Makes the newest event read from a store that is still to come. */
  readPromised(event: number, promise: number): void {
    this.isRead[event] = 1;
    this.readsFrom[event] = READS_NOTHING - 1 - promise;
    this.loaded[event] = this.promises[promise].value;
  }

  promiseOf(event: number): Promised {
    return this.promises[READS_NOTHING - 1 - this.readsFrom[event]];
  }

  /** Makes the newest event a store. @param at where in its location's order; -1 when the model has none for it */
  write(event: number, value: number, at: number): void {
    this.isWrite[event] = 1;
    this.stored[event] = value;
    const location = this.location[event];
    this.writes[location].push(event);
    if (at >= 0) this.coherence[location].splice(at, 0, event);
    this.storeCount[this.thread[event]]++;
  }

  /** Takes the newest event away. */
  remove(): void {
    const event = --this.count;
    this.byThread[this.thread[event]].pop();
    if (this.isWrite[event] === 0) return;
    const location = this.location[event];
    this.writes[location].pop();
    const at = this.coherence[location].indexOf(event);
    if (at >= 0) this.coherence[location].splice(at, 1);
    this.storeCount[this.thread[event]]--;
  }
}
