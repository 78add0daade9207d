/**
 * A version protocol in the form in which stress and verify take it: what a protocol file exports. `words` is a page of
 * PROTOCOL_WORDS words, word 0 the version; both functions reach it through the global Atomics and plain indexing only.
 */
export interface Protocol {
  /** Writes one update. @param values PAYLOAD_WORDS words, for word 1 and on */
  write(words: Int32Array, values: Int32Array): unknown;
  /** Writes an update that changes word 1 alone, the steal, of a page that is whole. Optional. */
  writeSteal?(words: Int32Array, stealMs: number): unknown;
  /**
   * Reads one update.
   *
   * @param out receives the PAYLOAD_WORDS words from word 1 on
   * @returns the number of retries, at most maxRetries, or GAVE_UP
   */
  read(words: Int32Array, out: Int32Array, maxRetries: number): number;
  /**
   * The version under which the last read accepted its words. Optional; with it, words of another version's update
   * count as torn, too.
   */
  acceptedVersion?(): number;
}

export const PROTOCOL_WORDS = 8;
export const PAYLOAD_WORDS = PROTOCOL_WORDS - 1;
