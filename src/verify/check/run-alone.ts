import { storedBy } from "../explore/access.js";
import type { ThreadTrie, TrieNode } from "../explore/thread-trie.js";

/** Where a thread came that ran with nobody beside it. */
export interface AloneRun {
  /** The page's words. */
  readonly memory: readonly number[];
  readonly stores: number;
  readonly ended: boolean;
  readonly result: unknown;
}

/** Runs a thread by itself on a page of its own. @param initial the page's words @param maxStores it dies after so many */
export function runAlone(trie: ThreadTrie, initial: readonly number[], maxStores = Number.POSITIVE_INFINITY): AloneRun {
  const memory = trie.layout.pack(initial);
  let stores = 0;
  let node: TrieNode = trie.root;
  while (node.kind !== "end") {
    if (stores === maxStores) return { memory: trie.layout.unpack(memory), stores, ended: false, result: undefined };
    const { access } = node;
    if (node.kind === "store") {
      memory[access.location] = node.access.value;
      stores++;
      node = node.next;
      continue;
    }
    const loaded = memory[access.location];
    const stored = storedBy(node.access, loaded);
    if (stored !== null) {
      memory[access.location] = stored;
      stores++;
    }
    node = trie.after(node, loaded);
  }
  return { memory: trie.layout.unpack(memory), stores, ended: true, result: node.result };
}
