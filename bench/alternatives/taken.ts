/**
 * Takes all words of a page, as a caller does who has a use for them: one figure that depends on each. Written out, as a loop
 * takes longer than the loads in it.
 */
export function taken(words: Int32Array): number {
  return words[0] ^ words[1] ^ words[2] ^ words[3] ^ (words[4] ^ words[5] ^ words[6] ^ words[7]);
}
