import type { Graph } from "../explore/graph.js";
import { Relation } from "../explore/relation.js";
import { addCoherence, addProgramOrderPerLocation, addReadsFrom } from "./coherence-edges.js";
import type { Judge, MemoryModel } from "./model.js";

/**
 * x86-TSO (Owens, Sarkar, Sewell, "A better x86 memory model", TPHOLs 2009), in its axiomatic form: a store may sit in
 * its processor's store buffer while later loads go ahead, and the processor alone sees it there. V8 makes Atomics.store
 * an XCHG and the read-modify-writes LOCKed instructions, which empty the buffer, a failed CMPXCHG too; Atomics.load is a plain MOV.
 *
 * Two conditions: each location by itself is sequentially consistent; and program order but for store to load,
 * with what reads from another thread's stores, coherence and from-reads, has no cycle.
 */
export const tso: MemoryModel = {
  name: "tso",
  readsLaterStores: false,
  ordersStores: () => true,
  judge: (graph) => new TsoJudge(graph),
};

class TsoJudge implements Judge {
  readonly #graph: Graph;
  readonly #perLocation = new Relation();
  readonly #global = new Relation();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  admits(): boolean {
    return this.#eachLocationIsSequential() && this.#globalOrderExists();
  }

  #eachLocationIsSequential(): boolean {
    const graph = this.#graph;
    this.#perLocation.clear(graph.count);
    addProgramOrderPerLocation(graph, this.#perLocation);
    addReadsFrom(graph, this.#perLocation, "all");
    addCoherence(graph, this.#perLocation, "all");
    return this.#perLocation.isAcyclic(graph.count);
  }

  #globalOrderExists(): boolean {
    const graph = this.#graph;
    this.#global.clear(graph.count);
    for (const own of graph.byThread) {
      for (let later = 1; later < own.length; later++) {
        for (let earlier = 0; earlier < later; earlier++) {
          if (this.#keepsOrder(own[earlier], own[later])) this.#global.add(own[earlier], own[later]);
        }
      }
    }
    addReadsFrom(graph, this.#global, "external");
    addCoherence(graph, this.#global, "all");
    return this.#global.isAcyclic(graph.count);
  }

  /** Only a load may overtake an earlier store, and only one that still is in the buffer. */
  #keepsOrder(earlier: number, later: number): boolean {
    const graph = this.#graph;
    if (graph.isWrite[later] !== 0 || graph.isLocked[later] !== 0) return true;
    return graph.isRead[earlier] !== 0 || graph.isAtomic[earlier] !== 0;
  }
}
