import { GUEST_STOPPED_MASK, SHIFT_AND_FLAGS_WORD } from "./pvclock-page.js";

/** A power of two. A reader has this many updates' time to audit what it accepted. */
const SLOTS = 64;
const WORDS_PER_SLOT = 2;

/** A slot in use holds its version with bit 0 set, which no closing version has; 0 is a slot not in use, or being filled. */
const IN_USE = 1;
const NOT_IN_USE = 0;

export const AUDIT_RING_WORDS = SLOTS * WORDS_PER_SLOT;

export type AuditVerdict = "whole" | "torn" | "unaudited";

/**
 * Tells torn reads from whole ones, outside the ABI's bytes: the host notes a hash of each update's payload under its
 * version, before the version is published; a reader compares what it accepted. The slot itself is a small sequence
 * lock keyed by the version, and a slot already reused counts as unaudited, never as torn.
 */
export class AuditRing {
  readonly #words: Int32Array;
  readonly #base: number;

  /** @param words memory that host and guest share, outside guest RAM @param base index of AUDIT_RING_WORDS words */
  constructor(words: Int32Array, base: number) {
    this.#words = words;
    this.#base = base;
  }

  record(version: number, values: Int32Array, wordCount: number): void {
    const slot = this.#slotOf(version);
    Atomics.store(this.#words, slot, NOT_IN_USE);
    Atomics.store(this.#words, slot + 1, hashPayload(values, wordCount));
    Atomics.store(this.#words, slot, version | IN_USE);
  }

  check(version: number, values: Int32Array, wordCount: number): AuditVerdict {
    const slot = this.#slotOf(version);
    if (Atomics.load(this.#words, slot) !== (version | IN_USE)) return "unaudited";
    const hash = Atomics.load(this.#words, slot + 1);
    if (Atomics.load(this.#words, slot) !== (version | IN_USE)) return "unaudited";
    return hash === hashPayload(values, wordCount) ? "whole" : "torn";
  }

  #slotOf(version: number): number {
    return this.#base + ((version >>> 1) & (SLOTS - 1)) * WORDS_PER_SLOT;
  }
}

/** FNV-1a over whole words. GUEST_STOPPED is left out: the guest may clear it after the host took its hash. */
function hashPayload(values: Int32Array, wordCount: number): number {
  let hash = 0x811c9dc5;
  for (let word = 1; word < wordCount; word++) {
    const value = word === SHIFT_AND_FLAGS_WORD ? values[word] & ~GUEST_STOPPED_MASK : values[word];
    hash = Math.imul(hash ^ value, 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash | 0;
}
