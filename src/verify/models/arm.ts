import { type Graph, READS_NOTHING } from "../explore/graph.js";
import { Relation } from "../explore/relation.js";
import { addCoherence, addProgramOrderPerLocation, addReadsFrom } from "./coherence-edges.js";
import type { Judge, MemoryModel } from "./model.js";

/**
 * ARMv8-A (Arm ARM, chapter B2.3; Pulte et al., "Simplifying ARM concurrency", POPL 2018), for the instructions that V8
 * emits: LDAR for Atomics.load, STLR for Atomics.store, an LDAXR/STLXR loop for the read-modify-writes, LDR and STR for
 * plain accesses. The loop is weaker than the single instructions of LSE (LDADDAL), which order what is before
 * with what is after; what holds here holds with those.
 *
 * Names are those of the architecture's own model. Dependencies are not seen (they run through JavaScript values), so
 * more executions are found than a machine has where a value is used for an address or a branch before a store.
 */
export const arm: MemoryModel = {
  name: "arm",
  readsLaterStores: true,
  ordersStores: () => true,
  judge: (graph) => new ArmJudge(graph),
};

class ArmJudge implements Judge {
  readonly #graph: Graph;
  readonly #internal = new Relation();
  readonly #ordered = new Relation();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  admits(): boolean {
    return this.#isAtomic() && this.#isInternallyVisible() && this.#isExternallyVisible();
  }

  /** Atomic: between the two halves of an exclusive pair no other store to the location comes. */
  #isAtomic(): boolean {
    const graph = this.#graph;
    for (let event = graph.locations; event < graph.count; event++) {
      if (graph.isRead[event] === 0 || graph.isWrite[event] === 0 || graph.isPending(event)) continue;
      const order = graph.coherence[graph.location[event]];
      if (order.indexOf(event) !== order.indexOf(graph.readsFrom[event]) + 1) return false;
    }
    return true;
  }

  /** Internal visibility requirement: each location by itself is sequentially consistent. */
  #isInternallyVisible(): boolean {
    const graph = this.#graph;
    this.#internal.clear(graph.count);
    addProgramOrderPerLocation(graph, this.#internal);
    addReadsFrom(graph, this.#internal, "all");
    addCoherence(graph, this.#internal, "all");
    return this.#internal.isAcyclic(graph.count);
  }

  /**
   * External visibility requirement: Ordered-before has no cycle. The store half of a read-modify-write is a place of
   * its own, since what comes later is ordered after its load half alone.
   */
  #isExternallyVisible(): boolean {
    const graph = this.#graph;
    this.#ordered.clear(2 * graph.count);
    this.#addObserved();
    for (const own of graph.byThread) {
      for (let later = 0; later < own.length; later++) this.#addLocallyOrdered(own, later);
    }
    return this.#ordered.isAcyclic(2 * graph.count);
  }

  /** Observed-by: reads-from, from-reads and coherence between different threads. */
  #addObserved(): void {
    const graph = this.#graph;
    for (let location = 0; location < graph.locations; location++) {
      const order = graph.coherence[location];
      for (let at = 1; at < order.length; at++) {
        for (let earlier = 0; earlier < at; earlier++) this.#observe(order[earlier], order[at], false);
      }
    }
    for (let event = graph.locations; event < graph.count; event++) {
      const source = graph.readsFrom[event];
      if (source <= READS_NOTHING) continue;
      if (graph.thread[source] !== graph.thread[event]) this.#ordered.add(this.#storeHalf(source), event);
      const order = graph.coherence[graph.location[event]];
      for (let at = order.indexOf(source) + 1; at < order.length; at++) this.#observe(event, order[at], true);
    }
  }

  #observe(from: number, to: number, fromRead: boolean): void {
    const graph = this.#graph;
    if (from === to || graph.thread[from] === graph.thread[to]) return;
    this.#ordered.add(fromRead ? from : this.#storeHalf(from), this.#storeHalf(to));
  }

  /** Locally-ordered-before, for the pairs whose later event this is. */
  #addLocallyOrdered(own: readonly number[], later: number): void {
    const graph = this.#graph;
    const event = own[later];
    // The halves of an exclusive pair.
    if (graph.isRead[event] !== 0 && graph.isWrite[event] !== 0) this.#ordered.add(event, this.#storeHalf(event));
    for (let place = 0; place < later; place++) this.#addBarrierOrdered(own[place], event);
    // The store half of a pair comes before an acquire that reads from it in its own thread.
    const source = graph.readsFrom[event];
    const isInternal = source >= graph.locations && graph.thread[source] === graph.thread[event];
    if (isInternal && this.#acquires(event) && graph.isRead[source] !== 0) {
      this.#ordered.add(this.#storeHalf(source), event);
    }
  }

  #addBarrierOrdered(earlier: number, event: number): void {
    const graph = this.#graph;
    // [A]; po: nothing goes before an earlier load-acquire.
    if (this.#acquires(earlier)) {
      this.#ordered.add(earlier, event);
      this.#ordered.add(earlier, this.#storeHalf(event));
    }
    // [L]; po; [A]: a load-acquire waits for earlier store-releases.
    if (this.#releases(earlier) && this.#acquires(event)) this.#ordered.add(this.#storeHalf(earlier), event);
    // po; [L]: a store-release waits for all before it. Local write successor: a store comes after what touched its
    // location before.
    const isSameLocation = graph.location[earlier] === graph.location[event];
    if (this.#releases(event) || (isSameLocation && graph.isWrite[event] !== 0)) {
      this.#ordered.add(earlier, this.#storeHalf(event));
      this.#ordered.add(this.#storeHalf(earlier), this.#storeHalf(event));
    }
  }

  /** It is a load-acquire, or the load half of an atomic read-modify-write. */
  #acquires(event: number): boolean {
    return this.#graph.isAtomic[event] !== 0 && this.#graph.isRead[event] !== 0;
  }

  /** It is a store-release, or the store half of an atomic read-modify-write. */
  #releases(event: number): boolean {
    return this.#graph.isAtomic[event] !== 0 && this.#graph.isWrite[event] !== 0;
  }

  /** Where an event's store stands: with the event itself, but for a read-modify-write. */
  #storeHalf(event: number): number {
    const graph = this.#graph;
    return graph.isRead[event] !== 0 && graph.isWrite[event] !== 0 ? graph.count + event : event;
  }
}
