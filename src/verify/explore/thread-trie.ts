import { type Access, type ReadAccess, sameAccess } from "./access.js";
import { ProtocolFault } from "./protocol-fault.js";
import type { Recorder, Recording } from "./recorder.js";

/** Where a thread stands: about to make an access, or at its end. */
export type TrieNode = LoadNode | StoreNode | EndNode;

interface LoadNode {
  readonly kind: "read";
  readonly id: number;
  readonly access: ReadAccess;
  /** What was loaded on the way here. */
  readonly loaded: readonly number[];
  readonly children: Map<number, TrieNode>;
}

interface StoreNode {
  readonly kind: "store";
  readonly id: number;
  readonly access: Extract<Access, { kind: "store" }>;
  next: TrieNode;
}

interface EndNode {
  readonly kind: "end";
  readonly id: number;
  readonly result: unknown;
}

/**
 * All that a thread can do, as a tree that branches at its loads. A thread is a deterministic function of what it loads:
 * the code is run anew for each branch, with what its loads returned up to there, and never again once the branch is
 * known. Memory models walk the tree and run no code.
 */
export class ThreadTrie {
  readonly #recorder: Recorder;
  readonly #code: (words: Int32Array) => unknown;
  readonly #maxLoads: number;
  #nodes = 0;
  #root: TrieNode | null = null;

  /** @param maxLoads more loads than the code may make before it ends */
  constructor(recorder: Recorder, code: (words: Int32Array) => unknown, maxLoads: number) {
    this.#recorder = recorder;
    this.#code = code;
    this.#maxLoads = maxLoads;
  }

  /** @throws ProtocolFault, as all that runs the code */
  get root(): TrieNode {
    this.#root ??= this.#grow([], 0);
    return this.#root;
  }

  /** The node after a load that returned `value`. */
  after(node: LoadNode, value: number): TrieNode {
    const known = node.children.get(value);
    if (known !== undefined) return known;
    const loaded = [...node.loaded, value];
    if (loaded.length > this.#maxLoads) {
      throw new ProtocolFault(`made more than ${this.#maxLoads} loads in one call: does it keep to maxRetries?`);
    }
    const grown = this.#grow(loaded, this.#pathLength(loaded.slice(0, -1)) + 1);
    node.children.set(value, grown);
    return grown;
  }

  /** Runs the code and makes nodes of what it did from access `from` on. */
  #grow(loaded: readonly number[], from: number): TrieNode {
    const recording = this.#recorder.run(this.#code, loaded);
    if (from > 0) this.#expectSamePath(recording, loaded, from);
    return this.#nodesOf(recording, loaded, from);
  }

  #nodesOf(recording: Recording, loaded: readonly number[], from: number): TrieNode {
    const access = recording.accesses[from];
    const id = this.#nodes++;
    if (access === undefined) {
      if (!recording.ended) throw new ProtocolFault("keeps state between calls: the same loads led it elsewhere");
      return { kind: "end", id, result: recording.result };
    }
    if (access.kind === "store") {
      return { kind: "store", id, access, next: this.#nodesOf(recording, loaded, from + 1) };
    }
    if (from !== recording.accesses.length - 1 || recording.ended) {
      throw new ProtocolFault("keeps state between calls: the same loads led it elsewhere");
    }
    return { kind: "read", id, access, loaded, children: new Map() };
  }

  /** How many accesses the known path makes before the load at which it stands. */
  #pathLength(loaded: readonly number[]): number {
    return this.#walk(loaded, () => {});
  }

  #expectSamePath(recording: Recording, loaded: readonly number[], from: number): void {
    const path: Access[] = [];
    this.#walk(loaded.slice(0, -1), (access) => path.push(access));
    const same = path.length === from && path.every((access, index) => {
      const now = recording.accesses[index];
      return now !== undefined && sameAccess(access, now);
    });
    if (!same) throw new ProtocolFault("keeps state between calls: the same loads led it elsewhere");
  }

  /** Walks the known path of these loads to the load that follows. @returns accesses on it, without that load's */
  #walk(loaded: readonly number[], visit: (access: Access) => void): number {
    let node: TrieNode | undefined = this.root;
    let count = 0;
    let taken = 0;
    while (node !== undefined && node.kind !== "end") {
      visit(node.access);
      if (node.kind === "store") {
        count++;
        node = node.next;
      } else {
        if (taken === loaded.length) return count;
        count++;
        node = node.children.get(loaded[taken++]);
      }
    }
    throw new ProtocolFault("keeps state between calls: the same loads led it elsewhere");
  }
}
