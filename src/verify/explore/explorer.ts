import type { MemoryModel } from "../models/model.js";
import { type ReadAccess, storedBy } from "./access.js";
import { expectForgetful, expectInStep } from "./attempts.js";
import { type Cursor, isForgotten, nextAttempt, outcomeOf, startOf } from "./cursor.js";
import { type Execution, type ExploreSummary, ThreadStores } from "./execution.js";
import { withoutLoads } from "./forget.js";
import { Graph } from "./graph.js";
import { graphKey } from "./graph-key.js";
import { type Program, STORING, type Storing } from "./program.js";
import { allKept, breakPromise, KnownStores, keepPromise, promiseFor } from "./promises.js";
import type { TrieNode } from "./thread-trie.js";
import { TooLarge } from "./too-large.js";

/**
 * Visits every execution of a program that a memory model allows, each once.
 *
 * @param maxSteps more graphs than it may look at
 * @throws ThreadStores, TooLarge; ProtocolFault of the code that is run
 */
export function explore(
  program: Program,
  model: MemoryModel,
  maxSteps: number,
  visit: (execution: Execution) => void,
): ExploreSummary {
  return new Exploration(program, model, maxSteps, visit).run();
}

class Exploration {
  readonly #program: Program;
  readonly #model: MemoryModel;
  readonly #maxSteps: number;
  readonly #visit: (execution: Execution) => void;
  readonly #together: readonly number[];
  readonly #alone: readonly number[];
  readonly #cursors: Cursor[];
  readonly #known = new KnownStores();
  readonly #reported = new Set<string>();
  #graph: Graph;
  #admits: () => boolean;
  #seen = new Set<string>();
  #grew = false;
  #executions = 0;
  #steps = 0;

  constructor(program: Program, model: MemoryModel, maxSteps: number, visit: (execution: Execution) => void) {
    this.#program = program;
    this.#model = model;
    this.#maxSteps = maxSteps;
    this.#visit = visit;
    const threads = program.threads.map((_, thread) => thread);
    this.#together = threads.filter((thread) => program.threads[thread].storing !== "nothing");
    this.#alone = threads.filter((thread) => program.threads[thread].storing === "nothing");
    this.#cursors = program.threads.map(({ trie, attempts }) => startOf(trie.root, attempts?.whole.root ?? null));
    this.#graph = new Graph(program.initial, threads.length);
    this.#admits = this.#judgeOf(this.#graph);
  }

  /** Round by round, as long as executions make stores that no load could return yet. */
  run(): ExploreSummary {
    do {
      this.#grew = false;
      this.#seen = new Set();
      this.#extend(this.#together);
    } while (this.#grew);
    return { executions: this.#executions, steps: this.#steps };
  }

  #judgeOf(graph: Graph): () => boolean {
    const judge = this.#model.judge(graph);
    return () => judge.admits();
  }

  /**
   * Goes on in every way in which these threads can. Stores go first, since a load is free not to read from one
   * that is there; the order in which loads are taken matters only for what they find, so all orders are tried.
   */
  #extend(threads: readonly number[]): void {
    if (++this.#steps > this.#maxSteps)
      throw new TooLarge(`its executions have more than ${this.#maxSteps} beginnings`);
    if (this.#storeNext(threads) || this.#readAhead(threads)) return;
    if (threads.length > 1 && this.#isKnown("", () => true)) return;
    let atEnd = true;
    for (const thread of threads) {
      const { node } = this.#cursors[thread];
      if (node.kind !== "read") continue;
      atEnd = false;
      this.#read(threads, thread, node);
    }
    if (atEnd) this.#end(threads);
  }

  /** Makes the store at which a thread stands, or begins its next attempt, if there is one of either. */
  #storeNext(threads: readonly number[]): boolean {
    for (const thread of threads) {
      const { node } = this.#cursors[thread];
      if (node.kind === "store") {
        this.#store(threads, thread, node);
        return true;
      }
      if (node.kind === "end" && this.#hasFailedAttempt(thread, node.result)) {
        this.#tryAgain(threads, thread);
        return true;
      }
    }
    return false;
  }

  /**
   * Takes a plain load next, if a thread stands at one and may read what is stored later: then it can be taken at
   * any time, and one time is enough. What it could read and is not known yet comes in a later round.
   */
  #readAhead(threads: readonly number[]): boolean {
    if (!this.#model.readsLaterStores || threads.length === 1) return false;
    for (const thread of threads) {
      const { node } = this.#cursors[thread];
      if (node.kind !== "read" || node.access.order === "atomic") continue;
      this.#read(threads, thread, node);
      return true;
    }
    return false;
  }

  #isKnown(prefix: string, isKept: (event: number) => boolean): boolean {
    let key = prefix;
    for (const { node, attempt } of this.#cursors) key += `${node.id}.${attempt},`;
    key += graphKey(this.#graph, isKept);
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    return false;
  }

  #store(threads: readonly number[], thread: number, node: Extract<TrieNode, { kind: "store" }>): void {
    const { location, order, value } = node.access;
    this.#expectStoring(thread, "anything");
    this.#forEachPlace(location, order === "atomic", (at) => {
      const event = this.#graph.add(thread, location, order === "atomic");
      this.#graph.write(event, value, at);
      this.#goOn(threads, thread, node.next, null);
    });
  }

  #read(threads: readonly number[], thread: number, node: Extract<TrieNode, { kind: "read" }>): void {
    const { access } = node;
    const { location } = access;
    const isAtomic = access.order === "atomic";
    const readAs = (readFrom: (event: number) => void, value: number): void => {
      const stored = storedBy(access, value);
      const act = (at: number): void => {
        const event = this.#graph.add(thread, location, isAtomic);
        if (access.kind === "rmw") this.#graph.isLocked[event] = 1;
        readFrom(event);
        if (stored !== null) this.#graph.write(event, stored, at);
        this.#goOn(threads, thread, this.#program.threads[thread].trie.after(node, value), value);
      };
      if (stored === null) act(-1);
      else this.#forEachPlace(location, isAtomic, act);
    };
    const sources = this.#graph.writes[location];
    const count = sources.length;
    for (let index = 0; index < count; index++) {
      const source = sources[index];
      const value = this.#graph.stored[source];
      this.#expectStoring(thread, this.#storingOf(storedBy(access, value), source));
      readAs((event) => this.#graph.readFrom(event, source), value);
    }
    if (this.#model.readsLaterStores && threads.length > 1) this.#readLater(thread, access, readAs);
  }

  /** Two atomic accesses are ordered by what the one reads from the other: there is no reading ahead between them. */
  #readLater(
    thread: number,
    { kind, order, location }: ReadAccess,
    readAs: (readFrom: (event: number) => void, value: number) => void,
  ): void {
    for (const store of this.#known.at(location)) {
      if (store.thread === thread || (store.isAtomic && order === "atomic")) continue;
      if (store.ordinal < this.#graph.storeCount[store.thread]) continue;
      // It is a plain store, and may be overwritten by the time at which it is stored back.
      if (kind === "rmw") this.#expectStoring(thread, "anything");
      const made = this.#graph.promises.length;
      const number = promiseFor(this.#graph, store);
      if (number >= 0) readAs((event) => this.#graph.readPromised(event, number), store.value);
      this.#graph.promises.length = made;
    }
  }

  /** With each place that a new store to the location can take among the others; -1 when it takes none. */
  #forEachPlace(location: number, isAtomic: boolean, act: (at: number) => void): void {
    if (!this.#model.ordersStores(isAtomic ? "atomic" : "plain")) {
      act(-1);
      return;
    }
    const places = this.#graph.coherence[location].length;
    for (let at = places; at >= 1; at--) act(at);
  }

  /** After an event was added: goes on if that is an execution's beginning, and takes the event away again. */
  #goOn(threads: readonly number[], thread: number, node: TrieNode, loaded: number | null): void {
    const graph = this.#graph;
    const isWrite = graph.isWrite[graph.count - 1] !== 0;
    if ((!isWrite || keepPromise(graph)) && this.#admits()) {
      const cursor = this.#cursors[thread];
      this.#cursors[thread] = { ...cursor, node, whole: this.#inStep(thread, cursor, node, loaded) };
      this.#extend(threads);
      this.#cursors[thread] = cursor;
    }
    if (isWrite) breakPromise(graph);
    graph.remove();
  }

  /** Where the call with all its tries comes to by the same access. */
  #inStep(thread: number, { whole, attempt }: Cursor, node: TrieNode, loaded: number | null): TrieNode | null {
    const { attempts } = this.#program.threads[thread];
    if (attempts === null || whole === null || whole.kind === "end") return null;
    const next = whole.kind === "store" ? whole.next : attempts.whole.after(whole, loaded ?? 0);
    expectInStep(attempts, node, next, attempt);
    return next;
  }

  #hasFailedAttempt(thread: number, result: unknown): boolean {
    const { attempts } = this.#program.threads[thread];
    return attempts !== null && this.#cursors[thread].attempt + 1 < attempts.count && attempts.failed(result);
  }

  /** The words of a failed attempt are forgotten. */
  #tryAgain(threads: readonly number[], thread: number): void {
    const graph = this.#graph;
    const cursor = this.#cursors[thread];
    const isDropped = (event: number): boolean => isForgotten(graph, thread, cursor, event);
    const { trie, attempts } = this.#program.threads[thread];
    if (attempts !== null && cursor.whole !== null) expectForgetful(attempts, trie, cursor.whole, cursor.attempt + 1);
    this.#cursors[thread] = nextAttempt(graph, thread, cursor, trie.root);
    if (!this.#isKnown("again ", (event) => !isDropped(event))) {
      this.#within(graph, isDropped, () => this.#extend(threads));
    }
    this.#cursors[thread] = cursor;
  }

  #within(graph: Graph, isDropped: (event: number) => boolean, act: () => void): void {
    const admits = this.#admits;
    this.#graph = withoutLoads(graph, isDropped, (copy) => {
      this.#admits = this.#judgeOf(copy);
      return this.#admits;
    });
    act();
    this.#graph = graph;
    this.#admits = admits;
  }

  #end(threads: readonly number[]): void {
    const together = threads === this.#together;
    if (together && threads.length > 1) {
      if (!allKept(this.#graph)) return;
      if (this.#model.readsLaterStores) this.#grew = this.#known.addAll(this.#graph) || this.#grew;
      if (this.#isReported()) return;
    }
    if (together && this.#alone.length > 0) {
      for (const thread of this.#alone) this.#extend([thread]);
      return;
    }
    this.#executions++;
    const isLeftOut = (thread: number): boolean => this.#alone.includes(thread) && !threads.includes(thread);
    const outcomes = this.#cursors.map((cursor, thread) => (isLeftOut(thread) ? null : outcomeOf(cursor)));
    this.#visit({ graph: this.#graph, outcomes });
  }

  /** Rounds after the first come to the same executions once more. */
  #isReported(): boolean {
    const key = this.#cursors.map(({ node }) => node.id).join() + graphKey(this.#graph, () => true);
    if (this.#reported.has(key)) return true;
    this.#reported.add(key);
    return false;
  }

  /**
   * A read-modify-write that stores what it loaded brings nothing back, unless what it loaded has no place in the order of
   * its word's stores: a plain store, under es. That may be overwritten by then.
   */
  #storingOf(stored: number | null, source: number): Storing {
    if (stored === null) return "nothing";
    const graph = this.#graph;
    const isOrdered =
      graph.isInitial(source) || this.#model.ordersStores(graph.isAtomic[source] !== 0 ? "atomic" : "plain");
    return isOrdered && stored === graph.stored[source] ? "what it loaded" : "anything";
  }

  #expectStoring(thread: number, found: Storing): void {
    const { storing } = this.#program.threads[thread];
    if (STORING.indexOf(found) > STORING.indexOf(storing)) throw new ThreadStores(thread, found);
  }
}
