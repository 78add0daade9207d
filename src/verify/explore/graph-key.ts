import { type Graph, READS_NOTHING } from "./graph.js";

/** What makes two graphs the same: what each read reads from, and the stores' orders. Not the order in which it grew. */
export function graphKey(graph: Graph, isKept: (event: number) => boolean): string {
  let key = "";
  for (const own of graph.byThread) {
    for (const event of own) {
      if (graph.isRead[event] !== 0 && isKept(event)) key += sourceKey(graph, event);
    }
    key += "|";
  }
  for (const order of graph.coherence) {
    if (order.length <= 2) continue;
    for (const event of order) key += String.fromCharCode(eventCode(graph, event));
    key += ";";
  }
  return key;
}

function sourceKey(graph: Graph, read: number): string {
  const source = graph.readsFrom[read];
  if (source > READS_NOTHING) return String.fromCharCode(eventCode(graph, source));
  const { thread, ordinal, value } = graph.promiseOf(read);
  return `<${thread}.${ordinal}=${value}>`;
}

/** A number that tells an event whatever else the graph holds. */
function eventCode(graph: Graph, event: number): number {
  return (graph.thread[event] + 1) * 1024 + (graph.isInitial(event) ? event : graph.place[event]);
}
