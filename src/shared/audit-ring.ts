import { GUEST_STOPPED_MASK, PAGE_WORDS, SHIFT_AND_FLAGS_WORD } from "./pvclock-page.js";

/** A power of two. A reader has this many updates' time to audit what it accepted. */
export const AUDIT_SLOTS = 64;

/** Words of a slot: its version, a hash of the ABI's words, and one of the nanosecond extension's. */
const BASIC_HASH = 1;
const EXTENSION_HASH = 2;
const WORDS_PER_SLOT = 3;
/** In place of the extension's hash, which is never 0. */
const NO_EXTENSION = 0;

/** A slot in use holds its version with bit 0 set, which no closing version has; 0 is a slot not in use, or being filled. */
const IN_USE = 1;
const NOT_IN_USE = 0;

export const AUDIT_RING_WORDS = AUDIT_SLOTS * WORDS_PER_SLOT;

export type AuditVerdict = "whole" | "torn" | "unaudited";

/**
 * Tells torn reads from whole ones, outside the ABI's bytes: the host notes a hash of each update's payload under its
 * version, before the version is published; a reader compares what it accepted. The slot itself is a small sequence
 * lock keyed by the version, and a slot already reused counts as unaudited, never as torn.
 *
 * After a migration the guest's idea of how wide a page is, made when it booted, need not be the host's. So the nanosecond
 * extension has a hash of its own, and is compared where both know it.
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
    Atomics.store(this.#words, slot + BASIC_HASH, hashBasic(values));
    Atomics.store(this.#words, slot + EXTENSION_HASH, hashExtension(values, wordCount));
    Atomics.store(this.#words, slot, version | IN_USE);
  }

  check(version: number, values: Int32Array, wordCount: number): AuditVerdict {
    const slot = this.#slotOf(version);
    if (Atomics.load(this.#words, slot) !== (version | IN_USE)) return "unaudited";
    const basic = Atomics.load(this.#words, slot + BASIC_HASH);
    const extension = Atomics.load(this.#words, slot + EXTENSION_HASH);
    if (Atomics.load(this.#words, slot) !== (version | IN_USE)) return "unaudited";
    if (basic !== hashBasic(values)) return "torn";
    if (extension === NO_EXTENSION || wordCount === PAGE_WORDS) return "whole";
    return extension === hashExtension(values, wordCount) ? "whole" : "torn";
  }

  #slotOf(version: number): number {
    return this.#base + ((version >>> 1) & (AUDIT_SLOTS - 1)) * WORDS_PER_SLOT;
  }
}

function hashBasic(values: Int32Array): number {
  return hashWords(values, 1, PAGE_WORDS);
}

function hashExtension(values: Int32Array, wordCount: number): number {
  return wordCount === PAGE_WORDS ? NO_EXTENSION : hashWords(values, PAGE_WORDS, wordCount) || 1;
}

/** FNV-1a over whole words. GUEST_STOPPED is left out: the guest may clear it after the host took its hash. */
function hashWords(values: Int32Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let word = from; word < to; word++) {
    const value = word === SHIFT_AND_FLAGS_WORD ? values[word] & ~GUEST_STOPPED_MASK : values[word];
    hash = Math.imul(hash ^ value, 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash | 0;
}
