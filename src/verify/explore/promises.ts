import { type Graph, READS_NOTHING } from "./graph.js";

/** A store that some execution was seen to make, by its place among its thread's stores. */
export interface KnownStore {
  readonly thread: number;
  readonly ordinal: number;
  readonly location: number;
  readonly value: number;
  readonly isAtomic: boolean;
}

/**
 * Stores that loads may return before their threads got there: those that an execution makes which does without them.
 * Found round by round, from executions in which no load returned a later store, they cannot come out of thin air.
 */
export class KnownStores {
  readonly #byLocation = new Map<number, KnownStore[]>();
  readonly #names = new Set<string>();

  at(location: number): readonly KnownStore[] {
    return this.#byLocation.get(location) ?? [];
  }

  /** Takes note of all stores of an execution. @returns whether one was new */
  addAll(graph: Graph): boolean {
    let grew = false;
    const ordinals = graph.byThread.map(() => 0);
    for (let event = graph.locations; event < graph.count; event++) {
      if (graph.isWrite[event] === 0) continue;
      const thread = graph.thread[event];
      const store = {
        thread,
        ordinal: ordinals[thread]++,
        location: graph.location[event],
        value: graph.stored[event],
        isAtomic: graph.isAtomic[event] !== 0,
      };
      grew = this.#add(store) || grew;
    }
    return grew;
  }

  #add(store: KnownStore): boolean {
    const name = `${store.thread}.${store.ordinal}.${store.location}.${store.value}.${store.isAtomic}`;
    if (this.#names.has(name)) return false;
    this.#names.add(name);
    const there = this.#byLocation.get(store.location);
    if (there === undefined) this.#byLocation.set(store.location, [store]);
    else there.push(store);
    return true;
  }
}

/** The number of this promise in the graph, made if need be; -1 when another was made of the same store. */
export function promiseFor(graph: Graph, { thread, ordinal, location, value }: KnownStore): number {
  const made = graph.promises.findIndex((promise) => promise.thread === thread && promise.ordinal === ordinal);
  if (made < 0) return graph.promises.push({ thread, ordinal, location, value, event: -1 }) - 1;
  const promise = graph.promises[made];
  return promise.location === location && promise.value === value ? made : -1;
}

/** When the newest event is a promised store: gives it to its loads. @returns false: it is not what was promised */
export function keepPromise(graph: Graph): boolean {
  const event = graph.count - 1;
  const thread = graph.thread[event];
  const ordinal = graph.storeCount[thread] - 1;
  const number = graph.promises.findIndex((promise) => promise.thread === thread && promise.ordinal === ordinal);
  if (number < 0) return true;
  const promise = graph.promises[number];
  if (promise.location !== graph.location[event] || promise.value !== graph.stored[event]) return false;
  promise.event = event;
  replaceSource(graph, READS_NOTHING - 1 - number, event);
  return true;
}

/** Before the newest event is taken away: what it kept is promised once more. */
export function breakPromise(graph: Graph): void {
  const event = graph.count - 1;
  const number = graph.promises.findIndex((promise) => promise.event === event);
  if (number < 0) return;
  graph.promises[number].event = -1;
  replaceSource(graph, event, READS_NOTHING - 1 - number);
}

export function allKept(graph: Graph): boolean {
  return graph.promises.every(({ event }) => event >= 0);
}

function replaceSource(graph: Graph, from: number, to: number): void {
  for (let event = graph.locations; event < graph.count; event++) {
    if (graph.readsFrom[event] === from) graph.readsFrom[event] = to;
  }
}
