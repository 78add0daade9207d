/**
 * One 64-bit field (system_time, words 4 and 5) is taken as two halves after the version was checked, as if a field of
 * 64 bits needed no lock. The other words, and the writer, are right.
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
    if ((version & 1) !== 0) continue;
    for (let word = 1; word < 8; word++) {
      if (word !== 4 && word !== 5) out[word - 1] = Atomics.load(words, word);
    }
    if (Atomics.load(words, 0) !== version) continue;
    out[3] = Atomics.load(words, 4);
    out[4] = Atomics.load(words, 5);
    return retries;
  }
  return -1;
}
