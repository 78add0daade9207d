/**
 * The reader takes both looks at the version after the payload: what it has taken by then may be of the update before.
 */

export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
}

export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
    const version = Atomics.load(words, 0);
    if ((version & 1) !== 0) continue;
    if (Atomics.load(words, 0) === version) return retries;
  }
  return -1;
}
