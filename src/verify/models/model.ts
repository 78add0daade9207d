import type { AccessOrder } from "../explore/access.js";
import type { Graph } from "../explore/graph.js";

export const MODEL_NAMES = ["sc", "tso", "es", "arm"] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

/** Which executions there are. A model is a set of axioms over a graph; it never looks at how the graph came about. */
export interface MemoryModel {
  readonly name: ModelName;
  /** Whether a load may return a store that its thread makes later, in program order, than what depends on the load. */
  readonly readsLaterStores: boolean;
  /** Whether stores of this order have a place in their location's order. */
  ordersStores(order: AccessOrder): boolean;
  /** Something that judges one graph as it grows. */
  judge(graph: Graph): Judge;
}

/** Judges a graph after each event that is added to it; what it keeps of an event is valid until the event is removed. */
export interface Judge {
  /**
   * Whether the graph, which was the beginning of an execution before its newest event was added, still is one. Loads
   * that read from a promise have their store from the moment in which that store is the newest event.
   */
  admits(): boolean;
}
