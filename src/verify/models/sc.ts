import type { Graph } from "../explore/graph.js";
import { Relation } from "../explore/relation.js";
import { addCoherence, addReadsFrom } from "./coherence-edges.js";
import type { Judge, MemoryModel } from "./model.js";

/**
 * Sequential consistency (Lamport 1979): one order of all accesses that keeps every thread's program order, in which
 * each load returns the latest store. There is one exactly when program order, reads-from, coherence and from-reads
 * have no cycle together (Shasha and Snir 1988). A read-modify-write is one access, so nothing comes between its parts.
 */
export const sc: MemoryModel = {
  name: "sc",
  readsLaterStores: false,
  ordersStores: () => true,
  judge: (graph) => new ScJudge(graph),
};

class ScJudge implements Judge {
  readonly #graph: Graph;
  readonly #order = new Relation();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  admits(): boolean {
    const graph = this.#graph;
    const order = this.#order;
    order.clear(graph.count);
    for (const own of graph.byThread) {
      for (let place = 1; place < own.length; place++) order.add(own[place - 1], own[place]);
    }
    addReadsFrom(graph, order, "all");
    addCoherence(graph, order, "all");
    return order.isAcyclic(graph.count);
  }
}
