import { sameAccess } from "../explore/access.js";
import type { ThreadTrie, TrieNode } from "../explore/thread-trie.js";
import { PROTOCOL_WORDS } from "../protocol.js";
import { payloadOf } from "./payload.js";
import type { ProtocolThreads, ReadResult } from "./protocol-threads.js";

/** Walks of each kind by which a reader is tried. */
const WALKS = 400;
const MAX_STEPS = 1_000;

/**
 * Whether a read with retries is one attempt after another: each as a read without retries, which keeps nothing of
 * the attempt before. Only then may the words of failed attempts be forgotten. Tried on random walks through both, over
 * values that updates write: the same accesses must follow the same loads, and the result must be the same.
 */
export function isMadeOfAttempts(threads: ProtocolThreads, maxRetries: number, updates: number): boolean {
  if (maxRetries === 0) return false;
  const whole = threads.reader(maxRetries);
  const attempt = threads.reader(0);
  let seed = 1;
  const next = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let walk = 0; walk < WALKS; walk++) {
    if (!isSameWalk(whole, attempt, maxRetries, loadsOf(walk, updates, next))) return false;
  }
  return true;
}

/** A source of what loads return: now all of one update, now of any; versions now at rest, now odd, now changing. */
function loadsOf(walk: number, updates: number, next: (below: number) => number): (location: number) => number {
  const versions = 2 * updates + 1;
  const fixedUpdate = walk % (updates + 1);
  let version = next(versions);
  return (location) => {
    if (location === 0) {
      if (next(3) === 0) version = next(versions);
      return version;
    }
    const update = walk % 2 === 0 ? next(updates + 1) : fixedUpdate;
    return payloadOf(update)[(location - 1) % (PROTOCOL_WORDS - 1)];
  };
}

function isSameWalk(
  whole: ThreadTrie,
  attempt: ThreadTrie,
  maxRetries: number,
  load: (location: number) => number,
): boolean {
  let left: TrieNode = whole.root;
  let right: TrieNode = attempt.root;
  let retries = 0;
  for (let step = 0; step < MAX_STEPS; step++) {
    if (right.kind === "end" && (right.result as ReadResult).gaveUp && retries < maxRetries) {
      retries++;
      right = attempt.root;
    }
    if (left.kind === "end" && right.kind === "end") {
      return isSameResult(left.result as ReadResult, right.result as ReadResult, retries);
    }
    if (left.kind === "end" || right.kind === "end" || !sameAccess(left.access, right.access)) return false;
    const value = load(left.access.location);
    left = nextOf(whole, left, value);
    right = nextOf(attempt, right, value);
  }
  return false;
}

function nextOf(trie: ThreadTrie, node: Exclude<TrieNode, { kind: "end" }>, value: number): TrieNode {
  return node.kind === "store" ? node.next : trie.after(node, value);
}

function isSameResult(whole: ReadResult, attempt: ReadResult, retries: number): boolean {
  if (whole.gaveUp || attempt.gaveUp) return whole.gaveUp === attempt.gaveUp;
  const same = whole.out.every((value, index) => value === attempt.out[index]);
  return same && whole.retries === attempt.retries + retries && whole.version === attempt.version;
}
