import { sameAccess, storedBy } from "./access.js";
import type { ThreadTrie, TrieNode } from "./thread-trie.js";

/**
 * A call that tries again, as one attempt after another: each is the call with a single try, and keeps nothing of the
 * attempt before. That is what lets the words of a failed attempt be forgotten, and so it is asserted: wherever the
 * explorer goes in the attempts, `whole` goes along, and has to make the same accesses and come to the same result.
 */
export interface Attempts {
  /** How many in all. */
  readonly count: number;
  /** The call with all its tries. */
  readonly whole: ThreadTrie;
  /** Whether this result of an attempt calls for the next. */
  readonly failed: (result: unknown) => boolean;
  /** Whether the call may come to `whole` where its attempt number `attempt` comes to `last`. */
  readonly agree: (whole: unknown, last: unknown, attempt: number) => boolean;
  /** Pages at rest, on which a call has to go on after each failed attempt as if that had not been. */
  readonly pages: readonly (readonly number[])[];
}

/** A thread that was taken for one attempt after another carries something from one to the next. */
export class NotMadeOfAttempts extends Error {}

/** @throws NotMadeOfAttempts unless both stand at the same access, or at ends that agree */
export function expectInStep(attempts: Attempts, node: TrieNode, whole: TrieNode, attempt: number): void {
  if (node.kind === "end" || whole.kind === "end") {
    const isLast = node.kind === "end" && (!attempts.failed(node.result) || attempt + 1 === attempts.count);
    const agree = isLast && whole.kind === "end" && attempts.agree(whole.result, node.result, attempt);
    // An attempt that failed and is not the last ends, and the call goes on.
    if (agree || (node.kind === "end" && !isLast && whole.kind !== "end")) return;
    throw new NotMadeOfAttempts();
  }
  if (!sameAccess(node.access, whole.access)) throw new NotMadeOfAttempts();
}

/**
 * After a failed attempt: lets call and next attempt go on side by side on pages at rest. With words of more than one
 * update, a word that was carried over shows in one of them.
 *
 * @param whole where the call stands
 * @param attempt the number of the next attempt
 */
export function expectForgetful(attempts: Attempts, attempt: ThreadTrie, whole: TrieNode, number: number): void {
  for (const page of attempts.pages) {
    const memory = [...page];
    let left: TrieNode = whole;
    let right: TrieNode = attempt.root;
    while (right.kind !== "end") {
      expectInStep(attempts, right, left, number);
      if (left.kind === "end") throw new NotMadeOfAttempts();
      const { location } = right.access;
      if (right.kind === "store" && left.kind === "store") {
        memory[location] = right.access.value;
        [left, right] = [left.next, right.next];
      } else if (right.kind === "read" && left.kind === "read") {
        const loaded = memory[location];
        memory[location] = storedBy(right.access, loaded) ?? loaded;
        [left, right] = [attempts.whole.after(left, loaded), attempt.after(right, loaded)];
      }
    }
    expectInStep(attempts, right, left, number);
  }
}
