import type { Graph } from "./graph.js";
import { type ThreadOutcome, VERSION_LOCATION } from "./program.js";
import type { TrieNode } from "./thread-trie.js";

/** Where a thread is. */
export interface Cursor {
  readonly node: TrieNode;
  /** The same place in the call with all its tries, where its attempts are explored one by one; else null. */
  readonly whole: TrieNode | null;
  readonly attempt: number;
  /** Where in the thread's program order the attempt began. */
  readonly attemptPlace: number;
  readonly oddRetries: number;
  readonly changeRetries: number;
}

export function startOf(node: TrieNode, whole: TrieNode | null): Cursor {
  return { node, whole, attempt: 0, attemptPlace: 0, oddRetries: 0, changeRetries: 0 };
}

export function outcomeOf({ node, oddRetries, changeRetries }: Cursor): ThreadOutcome {
  return { result: node.kind === "end" ? node.result : undefined, oddRetries, changeRetries };
}

/** A load that a thread can forget once its attempt has failed: all but those of the version, which made it fail. */
export function isForgotten(graph: Graph, thread: number, { attemptPlace }: Cursor, event: number): boolean {
  return (
    graph.thread[event] === thread &&
    graph.place[event] >= attemptPlace &&
    graph.isWrite[event] === 0 &&
    graph.location[event] !== VERSION_LOCATION
  );
}

/** At the beginning of the attempt that follows one that failed. @param graph with all events of the failed one */
export function nextAttempt(graph: Graph, thread: number, cursor: Cursor, root: TrieNode): Cursor {
  const own = graph.byThread[thread].slice(cursor.attemptPlace);
  const first = own.find((event) => graph.location[event] === VERSION_LOCATION && graph.isRead[event] !== 0);
  const wasOdd = first !== undefined && (graph.loaded[first] & 1) !== 0;
  const kept = own.filter((event) => !isForgotten(graph, thread, cursor, event)).length;
  return {
    node: root,
    whole: cursor.whole,
    attempt: cursor.attempt + 1,
    attemptPlace: cursor.attemptPlace + kept,
    oddRetries: cursor.oddRetries + (wasOdd ? 1 : 0),
    changeRetries: cursor.changeRetries + (wasOdd ? 0 : 1),
  };
}
