import { GUEST_STOPPED_MASK, SHIFT_AND_FLAGS_WORD, STEAL_MS_WORD, VERSION_WORD } from "../../shared/pvclock-page.js";
import { PAYLOAD_WORDS, PROTOCOL_WORDS } from "../protocol.js";

/*
 * What the updates of a run say. Each word of a full update follows from its number and differs, for one word, between any
 * two numbers, and a word gives the number back. Updates of the steal alone are numbered on from the full one that they
 * follow, and their steal tells that one as well as the place after it. So a reader can judge every read all by itself.
 */

/** At most so many updates in a row write the steal alone. */
export const MOST_STEALS = 3;
/** Bits that count up to it. */
const STEAL_BITS = 2;

const STEP = 0x9e3779b1;
const FACTOR = 0x85ebca6b;
/** FACTOR * INVERSE = 1 modulo 2^32. */
const INVERSE = inverseOf(FACTOR);

/** The bit of the flags word that is the guest's: no writer stores it. */
const HOST_BITS = ~GUEST_STOPPED_MASK;
/** What turns a word of an update into one that it never has; not the guest's bit. */
const JUNK_BITS = 0x5555_5555 & HOST_BITS;
/** The words after the steal, of which the first gives the full update's number. */
const WORD_AFTER_STEAL = STEAL_MS_WORD + 1;

/** @param number modulo 2^32 @param word 1 to 7 */
function wordOf(number: number, word: number): number {
  const mixed = Math.imul(number + Math.imul(word, STEP), FACTOR);
  const spread = mixed ^ (mixed >>> 13);
  return word === SHIFT_AND_FLAGS_WORD ? spread & HOST_BITS : spread;
}

/** What wordOf() made that word of; not for the flags word. @returns as a signed 32-bit number */
function numberIn(spread: number, word: number): number {
  const mixed = spread ^ (spread >>> 13) ^ (spread >>> 26);
  return (Math.imul(mixed, INVERSE) - Math.imul(word, STEP)) | 0;
}

/**
 * The steal as an update leaves it.
 *
 * @param full the number of the last full update @param steals updates of the steal alone since, up to MOST_STEALS
 */
export function stealOf(full: number, steals: number): number {
  return wordOf((full << STEAL_BITS) | steals, STEAL_MS_WORD);
}

/** The payload of a full update, in the form that write() takes. */
export function fillUpdate(values: Int32Array, update: number): void {
  values[0] = stealOf(update, 0);
  for (let word = WORD_AFTER_STEAL; word < PROTOCOL_WORDS; word++) values[word - 1] = wordOf(update, word);
}

/** How many updates of the steal alone accepted words have seen since the full one, going by their steal. */
export function stealsIn(out: Int32Array): number {
  return numberIn(out[0], STEAL_MS_WORD) & MOST_STEALS;
}

/** The number of the update that accepted words are of, going by their first two. @returns as a signed 32-bit number */
export function updateOf(out: Int32Array): number {
  return (numberIn(out[1], WORD_AFTER_STEAL) + stealsIn(out)) | 0;
}

/**
 * Whether accepted words are exactly one update's: all but the steal those of one full update, the steal its own or that of
 * an update right after it. The words that a page has at first are update 0's.
 */
export function isOneUpdate(out: Int32Array): boolean {
  const full = numberIn(out[1], WORD_AFTER_STEAL);
  for (let word = WORD_AFTER_STEAL + 1; word < PROTOCOL_WORDS; word++) {
    if (out[word - 1] !== wordOf(full, word)) return false;
  }
  return out[0] === stealOf(full, stealsIn(out));
}

/** How many updates of the steal alone follow a full one, where they are written at all: 0 to MOST_STEALS. */
export function stealsAfter(full: number): number {
  return Math.imul(full, STEP) >>> (32 - STEAL_BITS);
}

/** The version with which an update closes, when a page's every update is numbered by it. */
export function versionOf(update: number): number {
  return update << 1;
}

/** The number of the next update to a page whose version was found so, by the version it has to close with. */
export function nextUpdate(foundVersion: number): number {
  return (((foundVersion + 1) | 1) + 1) >>> 1;
}

/** A page as it is at first: update 0, version 0. */
export function layFirstUpdate(words: Int32Array): void {
  const values = new Int32Array(PAYLOAD_WORDS);
  fillUpdate(values, 0);
  words.set(values, 1);
}

/**
 * Leaves a page as a writer that died in the middle of an update would: its version odd, every other word of the
 * payload of no update at all.
 *
 * By words of 32 bits, also where the protocol has fields of 64: ECMAScript promises no order between accesses of unequal size,
 * but processors do. A load of 64 aligned bits takes, of each half, what one store left there; and x86 keeps stores in order
 * whatever their size, as ARM64 does for the store-releases that these are.
 *
 * @param full the last full update that was written
 */
export function leaveHalfWritten(words: Int32Array, full: number): void {
  // The version first: a reader that finds junk in a word must find the version odd, or changed, afterwards.
  Atomics.store(words, VERSION_WORD, (Atomics.load(words, VERSION_WORD) + 1) | 1);
  for (let word = STEAL_MS_WORD; word < PROTOCOL_WORDS; word += 2) {
    Atomics.store(words, word, wordOf(full, word) ^ JUNK_BITS);
  }
}

/** By Newton's steps, each of which doubles the number of right bits. @param odd an odd number */
function inverseOf(odd: number): number {
  let inverse = odd;
  for (let bits = 3; bits < 32; bits *= 2) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  return inverse;
}
