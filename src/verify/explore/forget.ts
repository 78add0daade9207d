import { Graph } from "./graph.js";
import { keepPromise } from "./promises.js";

/**
 * The same execution without some of its loads. A load whose value nobody uses any more is no hindrance to anything: it
 * could return whatever is there at the time; so the graphs without it are just those that can be completed with it.
 *
 * @param admits told after each event that the new graph gained
 */
export function withoutLoads(
  graph: Graph,
  isDropped: (event: number) => boolean,
  judgeOf: (graph: Graph) => () => boolean,
): Graph {
  const initial = graph.coherence.map((_, location) => graph.stored[location]);
  const copy = new Graph(initial, graph.byThread.length);
  copy.promises.push(...graph.promises.map((promise) => ({ ...promise, event: -1 })));
  const admits = judgeOf(copy);
  const copies = new Map<number, number>(initial.map((_, location) => [location, location]));
  for (let event = graph.locations; event < graph.count; event++) {
    if (isDropped(event)) continue;
    copies.set(event, copyEvent(graph, event, copy, copies));
    if (graph.isWrite[event] !== 0) keepPromise(copy);
    if (!admits()) throw new Error("an execution without one of its loads is none: the model is wrong");
  }
  return copy;
}

function copyEvent(graph: Graph, event: number, copy: Graph, copies: ReadonlyMap<number, number>): number {
  const made = copy.add(graph.thread[event], graph.location[event], graph.isAtomic[event] !== 0);
  copy.isLocked[made] = graph.isLocked[event];
  if (graph.isRead[event] !== 0) {
    const source = copies.get(graph.readsFrom[event]);
    if (source !== undefined) copy.readFrom(made, source);
    else copy.readPromised(made, promiseNumber(graph, event));
  }
  if (graph.isWrite[event] !== 0) {
    const order = graph.coherence[graph.location[event]];
    const at = order.indexOf(event);
    const earlier = at < 0 ? at : order.slice(0, at).filter((other) => copies.has(other)).length;
    copy.write(made, graph.stored[event], earlier);
  }
  return made;
}

/** The promise through which an event reads: kept since, or not yet. */
function promiseNumber(graph: Graph, event: number): number {
  const source = graph.readsFrom[event];
  const kept = graph.promises.findIndex((promise) => promise.event === source);
  return kept >= 0 ? kept : graph.promises.indexOf(graph.promiseOf(event));
}
