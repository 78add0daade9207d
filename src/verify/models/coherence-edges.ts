import { type Graph, READS_NOTHING } from "../explore/graph.js";
import type { Relation } from "../explore/relation.js";

/** Which pairs of a communication relation to take: all, or those between different threads only. */
export type Reach = "all" | "external";

/** Adds reads-from: a store comes before what reads from it. */
export function addReadsFrom(graph: Graph, relation: Relation, reach: Reach): void {
  for (let event = graph.locations; event < graph.count; event++) {
    const source = graph.readsFrom[event];
    if (source <= READS_NOTHING) continue;
    if (reach === "all" || graph.thread[source] !== graph.thread[event]) relation.add(source, event);
  }
}

/** Adds coherence, and from-reads: a read comes before the store that follows the one that it read from. */
export function addCoherence(graph: Graph, relation: Relation, reach: Reach): void {
  for (let location = 0; location < graph.locations; location++) {
    const order = graph.coherence[location];
    for (let at = 1; at < order.length; at++) {
      for (let earlier = 0; earlier < at; earlier++) addPair(graph, relation, order[earlier], order[at], reach);
    }
  }
  for (let event = graph.locations; event < graph.count; event++) {
    const source = graph.readsFrom[event];
    if (source <= READS_NOTHING) continue;
    const order = graph.coherence[graph.location[event]];
    for (let at = order.indexOf(source) + 1; at < order.length; at++) addPair(graph, relation, event, order[at], reach);
  }
}

function addPair(graph: Graph, relation: Relation, from: number, to: number, reach: Reach): void {
  if (from === to) return;
  if (reach === "all" || graph.thread[from] !== graph.thread[to]) relation.add(from, to);
}

/** Adds program order between accesses to one location. */
export function addProgramOrderPerLocation(graph: Graph, relation: Relation): void {
  for (const own of graph.byThread) {
    for (let later = 1; later < own.length; later++) {
      for (let earlier = 0; earlier < later; earlier++) {
        if (graph.location[own[earlier]] === graph.location[own[later]]) relation.add(own[earlier], own[later]);
      }
    }
  }
}
