/**
 * The writer stores one word of the payload, the last, after it has made the version even again. The reader is right.
 */

export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 7; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
  Atomics.store(words, 7, values[6]);
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
