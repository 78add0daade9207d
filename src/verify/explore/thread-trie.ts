import { isDeepStrictEqual } from "node:util";
import { placeOf } from "../load-protocol.js";
import { type Access, type ReadAccess, sameAccess } from "./access.js";
import type { PageLayout } from "./layout.js";
import { ProtocolFault } from "./protocol-fault.js";
import type { CallName, Recorder, Recording } from "./recorder.js";
import { TooLarge } from "./too-large.js";

/** Where a thread stands: about to make an access, or at its end. */
export type TrieNode = LoadNode | StoreNode | EndNode;

interface LoadNode {
  readonly kind: "read";
  readonly id: number;
  readonly access: ReadAccess;
  /** The load before, and what it returned; null at the first. A list of all of them in each node would take gigabytes. */
  readonly before: { readonly node: LoadNode; readonly value: number } | null;
  readonly children: Map<number, TrieNode>;
}

interface StoreNode {
  readonly kind: "store";
  readonly id: number;
  readonly access: Extract<Access, { kind: "store" }>;
  readonly next: TrieNode;
}

interface EndNode {
  readonly kind: "end";
  readonly id: number;
  readonly result: unknown;
}

/** A tree of more accesses takes gigabytes. */
const MAX_NODES = 4_000_000;
/** As many calls are run again in the end. */
const MAX_RECHECKED = 20_000;

/**
 * All that a thread can do, as a tree that branches at its loads. A thread is a deterministic function of what it loads:
 * the code is run anew for each branch, with what its loads returned up to there, and never again once the branch is
 * known. Memory models walk the tree and run no code.
 */
export class ThreadTrie {
  readonly #recorder: Recorder;
  readonly #name: CallName;
  readonly #code: (words: Int32Array) => unknown;
  readonly #maxLoads: number;
  /** What the loads of calls returned that came to their end. */
  readonly #ended: (readonly number[])[] = [];
  readonly #endings: Recording[] = [];
  #nodes = 0;
  #root: TrieNode | null = null;

  /** @param maxLoads more loads than the code may make before it ends */
  constructor(recorder: Recorder, name: CallName, code: (words: Int32Array) => unknown, maxLoads: number) {
    this.#recorder = recorder;
    this.#name = name;
    this.#code = code;
    this.#maxLoads = maxLoads;
  }

  /** How the code divides the page. */
  get layout(): PageLayout {
    return this.#recorder.layout;
  }

  /** @throws ProtocolFault, as all that runs the code */
  get root(): TrieNode {
    this.#root ??= this.#nodesOf(this.#record([]), null, 0);
    return this.#root;
  }

  /** The node after a load that returned `value`. */
  after(node: LoadNode, value: number): TrieNode {
    const known = node.children.get(value);
    if (known !== undefined) return known;
    const onTheWay = loadedBefore(node);
    const loaded = [...onTheWay, value];
    if (loaded.length > this.#maxLoads) {
      throw this.#fault(`made more than ${this.#maxLoads} loads in one call: does it keep to maxRetries?`);
    }
    const recording = this.#record(loaded);
    const grown = this.#nodesOf(recording, { node, value }, this.#pathLength(recording, onTheWay));
    node.children.set(value, grown);
    return grown;
  }

  /**
   * Runs calls that came to their end once more, the last first: what they do may not depend on what was called in between.
   *
   * @throws ProtocolFault when it does
   */
  recheck(): void {
    for (let index = this.#ended.length - 1; index >= 0; index--) {
      if (!isSameRecording(this.#runOnce(this.#ended[index]), this.#endings[index])) throw this.#strayed();
    }
  }

  #fault(message: string): ProtocolFault {
    return new ProtocolFault(`${this.#name} ${message}`);
  }

  #strayed(): ProtocolFault {
    return this.#fault("keeps state between calls, or draws lots: the same loads led it elsewhere");
  }

  /** Runs the code, twice: what it does may depend on nothing but its loads. */
  #record(loaded: readonly number[]): Recording {
    const [first, second] = [this.#runOnce(loaded), this.#runOnce(loaded)];
    if (!isSameRecording(first, second)) throw this.#strayed();
    if (first.ended && this.#ended.length < MAX_RECHECKED) {
      this.#ended.push(loaded);
      this.#endings.push(first);
    }
    return first;
  }

  #runOnce(loaded: readonly number[]): Recording {
    try {
      return this.#recorder.run(this.#name, this.#code, loaded);
    } catch (error) {
      throw error instanceof ProtocolFault ? this.#fault(error.message + placeOf(error)) : error;
    }
  }

  /** Nodes of what the code did from access `from` on. */
  #nodesOf(recording: Recording, before: LoadNode["before"], from: number): TrieNode {
    const access = recording.accesses[from];
    const id = this.#nodes++;
    if (id >= MAX_NODES) throw new TooLarge(`the accesses of ${this.#name} branch into more than ${MAX_NODES}`);
    if (access === undefined) {
      if (!recording.ended) throw this.#strayed();
      return { kind: "end", id, result: recording.result };
    }
    if (access.kind === "store") {
      return { kind: "store", id, access, next: this.#nodesOf(recording, before, from + 1) };
    }
    if (from !== recording.accesses.length - 1 || recording.ended) throw this.#strayed();
    return { kind: "read", id, access, before, children: new Map() };
  }

  /** How many accesses the known path of these loads makes, the load at its end with them; the recording has to follow it. */
  #pathLength({ accesses }: Recording, loaded: readonly number[]): number {
    let node: TrieNode | undefined = this.root;
    let taken = 0;
    for (let length = 0; node !== undefined && node.kind !== "end"; length++) {
      const access = accesses[length];
      if (access === undefined || !sameAccess(node.access, access)) break;
      if (node.kind === "read" && taken === loaded.length) return length + 1;
      node = node.kind === "store" ? node.next : node.children.get(loaded[taken++]);
    }
    throw this.#strayed();
  }
}

/** What was loaded on the way to a load. */
function loadedBefore({ before }: LoadNode): number[] {
  const loaded: number[] = [];
  for (let at = before; at !== null; at = at.node.before) loaded.push(at.value);
  return loaded.reverse();
}

function isSameRecording(a: Recording, b: Recording): boolean {
  return (
    a.accesses.length === b.accesses.length &&
    a.accesses.every((access, index) => sameAccess(access, b.accesses[index])) &&
    isDeepStrictEqual(a.result, b.result)
  );
}
