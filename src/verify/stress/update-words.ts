import { GUEST_STOPPED_MASK, SHIFT_AND_FLAGS_WORD, VERSION_WORD } from "../../shared/pvclock-page.js";
import { PAYLOAD_WORDS, PROTOCOL_WORDS } from "../protocol.js";

/*
 * What the updates of a run say. Each word of an update follows from its number and differs, for one word, between any
 * two numbers, and the first word gives the number back. So a reader can judge every read all by itself.
 */

const STEP = 0x9e3779b1;
const FACTOR = 0x85ebca6b;
/** FACTOR * INVERSE = 1 modulo 2^32. */
const INVERSE = inverseOf(FACTOR);

/** The bit of the flags word that is the guest's: no writer stores it. */
const HOST_BITS = ~GUEST_STOPPED_MASK;
/** What turns a word of an update into one that it never has; not the guest's bit. */
const JUNK_BITS = 0x5555_5555 & HOST_BITS;

/** @param update modulo 2^32 @param word 1 to 7 */
function wordOf(update: number, word: number): number {
  const mixed = Math.imul(update + Math.imul(word, STEP), FACTOR);
  const spread = mixed ^ (mixed >>> 13);
  return word === SHIFT_AND_FLAGS_WORD ? spread & HOST_BITS : spread;
}

/** The payload of an update, in the form that write() takes. */
export function fillUpdate(values: Int32Array, update: number): void {
  for (let word = 1; word < PROTOCOL_WORDS; word++) values[word - 1] = wordOf(update, word);
}

/** The update that accepted words are of, going by their first. @returns as a signed 32-bit number */
export function updateOf(out: Int32Array): number {
  const spread = out[0];
  const mixed = spread ^ (spread >>> 13) ^ (spread >>> 26);
  return (Math.imul(mixed, INVERSE) - STEP) | 0;
}

/** Whether accepted words are exactly one update's. The words that a page has at first are update 0's. */
export function isOneUpdate(out: Int32Array): boolean {
  const update = updateOf(out);
  for (let word = 2; word < PROTOCOL_WORDS; word++) {
    if (out[word - 1] !== wordOf(update, word)) return false;
  }
  return true;
}

/** The update that closes with this version, when a page's every update is numbered by the version it closes with. */
export function updateOfVersion(version: number): number {
  return version >>> 1;
}

/** The number of the next update to a page whose version was found so, by the version it has to close with. */
export function nextUpdate(foundVersion: number): number {
  return updateOfVersion(((foundVersion + 1) | 1) + 1);
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
 * @param update the last that was written
 */
export function leaveHalfWritten(words: Int32Array, update: number): void {
  // The version first: a reader that finds junk in a word must find the version odd, or changed, afterwards.
  Atomics.store(words, VERSION_WORD, (Atomics.load(words, VERSION_WORD) + 1) | 1);
  for (let word = 1; word < PROTOCOL_WORDS; word += 2) Atomics.store(words, word, wordOf(update, word) ^ JUNK_BITS);
}

/** By Newton's steps, each of which doubles the number of right bits. @param odd an odd number */
function inverseOf(odd: number): number {
  let inverse = odd;
  for (let bits = 3; bits < 32; bits *= 2) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  return inverse;
}
