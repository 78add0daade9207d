/**
 * The reader compares the versions before and after, but takes an odd one for a version like any other: a read that
 * falls whole into a write is accepted.
 */

export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
}

export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, 0);
    for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
    if (Atomics.load(words, 0) === version) return retries;
  }
  return -1;
}
