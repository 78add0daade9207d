import { type Graph, READS_NOTHING } from "../explore/graph.js";
import { Relation } from "../explore/relation.js";
import type { Judge, MemoryModel } from "./model.js";

/**
 * ECMAScript's memory model (ECMA-262, "Memory Model"), for aligned 32-bit accesses. Clauses are named where they are
 * checked. What is ordered is happens-before, and among Atomics one total order; a plain access is ordered by
 * happens-before alone, so that two plain loads of one word may go backwards.
 *
 * ECMA-262 does not exclude values out of thin air. They are cut by the explorer: a load returns a store that comes
 * later only if some execution that does without makes that very store.
 */
export const es: MemoryModel = {
  name: "es",
  readsLaterStores: true,
  ordersStores: (order) => order === "atomic",
  judge: (graph) => new EsJudge(graph),
};

class EsJudge implements Judge {
  readonly #graph: Graph;
  /** Row of an event: what happens before it. Never changes, since nothing that is added later can happen before it. */
  readonly #before = new Relation();
  readonly #memoryOrder = new Relation();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  admits(): boolean {
    const graph = this.#graph;
    const event = graph.count - 1;
    this.#setHappensBefore(event);
    if (graph.isRead[event] !== 0 && !graph.isPending(event) && !this.#readsCoherently(event)) return false;
    if (graph.isWrite[event] !== 0 && this.#keepsPromiseTooLate(event)) return false;
    // A plain access comes after what happens before it, and before nothing yet: no order is lost.
    return graph.isAtomic[event] === 0 || this.#memoryOrderExists();
  }

  #happensBefore(earlier: number, later: number): boolean {
    return this.#before.has(later, earlier);
  }

  /** happens-before Order: agent order, synchronizes-with, and the initial value before all that overlap it. */
  #setHappensBefore(event: number): void {
    const graph = this.#graph;
    const before = this.#before;
    before.clearRow(event);
    before.add(event, graph.location[event]);
    const place = graph.place[event];
    if (place > 0) this.#follow(event, graph.byThread[graph.thread[event]][place - 1]);
    const source = graph.readsFrom[event];
    if (source > READS_NOTHING && this.#synchronizes(source, event)) this.#follow(event, source);
  }

  #follow(event: number, earlier: number): void {
    this.#before.addRow(event, earlier);
    this.#before.add(event, earlier);
  }

  /** synchronizes-with: both are sequentially consistent and of equal range; an initial value never is. */
  #synchronizes(source: number, read: number): boolean {
    return this.#graph.isAtomic[source] !== 0 && this.#graph.isAtomic[read] !== 0;
  }

  /**
   * Coherent Reads: no store lies between the one that was read and the read, in happens-before. And of Sequentially
   * Consistent Atomics the condition on plain reads: nor does an atomic store that follows it in memory order.
   */
  #readsCoherently(read: number): boolean {
    const graph = this.#graph;
    const source = graph.readsFrom[read];
    for (const other of graph.writes[graph.location[read]]) {
      if (other === source || other === read || !this.#happensBefore(other, read)) continue;
      if (this.#happensBefore(source, other)) return false;
    }
    if (graph.isAtomic[source] === 0 || !this.#happensBefore(source, read)) return true;
    const order = graph.coherence[graph.location[read]];
    for (let at = order.indexOf(source) + 1; at < order.length; at++) {
      if (order[at] !== read && this.#happensBefore(order[at], read)) return false;
    }
    return true;
  }

  /** Coherent Reads: a read does not happen before the store that it reads. */
  #keepsPromiseTooLate(write: number): boolean {
    const graph = this.#graph;
    for (let event = graph.locations; event < write; event++) {
      if (graph.readsFrom[event] === write && this.#happensBefore(event, write)) return true;
    }
    return false;
  }

  /** Sequentially Consistent Atomics: is there a total order that keeps happens-before and all its three conditions? */
  #memoryOrderExists(): boolean {
    const graph = this.#graph;
    const order = this.#memoryOrder;
    for (let event = 0; event < graph.count; event++) order.copyRow(event, this.#before, event);
    for (const stores of graph.coherence) {
      for (let at = 1; at < stores.length; at++) order.add(stores[at], stores[at - 1]);
    }
    for (let event = graph.locations; event < graph.count; event++) {
      if (graph.isRead[event] !== 0 && graph.isAtomic[event] !== 0 && !graph.isPending(event))
        this.#addFromReads(event);
    }
    return order.isAcyclic(graph.count);
  }

  /** An atomic read comes before the atomic stores that may not lie between it and the store that it reads. */
  #addFromReads(read: number): void {
    const graph = this.#graph;
    const source = graph.readsFrom[read];
    const stores = graph.coherence[graph.location[read]];
    if (graph.isAtomic[source] !== 0) {
      for (let at = stores.indexOf(source) + 1; at < stores.length; at++) this.#addBefore(read, stores[at]);
      return;
    }
    if (!this.#happensBefore(source, read)) return;
    for (const store of stores) {
      if (store !== source && this.#happensBefore(source, store)) this.#addBefore(read, store);
    }
  }

  #addBefore(read: number, store: number): void {
    if (store !== read) this.#memoryOrder.add(store, read);
  }
}
