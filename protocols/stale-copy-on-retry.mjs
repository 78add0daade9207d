/**
 * The reader copies the payload once; when the version has changed meanwhile it tries again, but with the copy that it
 * has. The writer is right.
 */

export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
}

export function read(words, out, maxRetries) {
  let copied = false;
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, 0);
    if ((version & 1) !== 0) continue;
    for (let word = 1; word < 8 && !copied; word++) out[word - 1] = Atomics.load(words, word);
    copied = true;
    if (Atomics.load(words, 0) === version) return retries;
  }
  return -1;
}
