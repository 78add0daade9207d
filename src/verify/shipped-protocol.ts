import { PAGE_WORDS, VERSION_WORD } from "../shared/pvclock-page.js";
import { readPage, writePage, writeSteal as writeStealOf } from "../shared/version-protocol.js";

/**
 * The protocol of the emulator, in the form of a protocol file: `writePage`, `writeSteal` and `readPage` themselves, and
 * nothing of their work is done here.
 */

const payload = new Int32Array(PAGE_WORDS);
const accepted = new Int32Array(PAGE_WORDS);

export function write(words: Int32Array, values: Int32Array): void {
  payload.set(values, 1);
  writePage(words, 0, payload, PAGE_WORDS, null);
}

export function writeSteal(words: Int32Array, stealMs: number): void {
  writeStealOf(words, 0, stealMs);
}

export function read(words: Int32Array, out: Int32Array, maxRetries: number): number {
  const retries = readPage(words, 0, accepted, PAGE_WORDS, maxRetries);
  for (let word = 1; word < PAGE_WORDS; word++) out[word - 1] = accepted[word];
  return retries;
}

export function acceptedVersion(): number {
  return accepted[VERSION_WORD];
}
