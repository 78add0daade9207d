/**
 * The reader waits until the version is even and then looks at it no more: a write that begins behind its back goes
 * unnoticed.
 */

export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
}

export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    if ((Atomics.load(words, 0) & 1) !== 0) continue;
    for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
    return retries;
  }
  return -1;
}
