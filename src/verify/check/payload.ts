import { PAYLOAD_WORDS } from "../protocol.js";

/** Two digits tell a word: which update wrote it, and which word it is. Update 0 is what the page held at first. */
const DIGIT = 10;

/** What an update writes: word w of update u is u * 10 + w. */
export function payloadOf(update: number): Int32Array {
  return Int32Array.from({ length: PAYLOAD_WORDS }, (_, index) => update * DIGIT + index + 1);
}

/** The update that wrote this value to this word; -1 for none. @param word from 1 on */
export function updateOf(value: number, word: number): number {
  const update = (value - word) / DIGIT;
  return Number.isInteger(update) && update >= 0 ? update : -1;
}
