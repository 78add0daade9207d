/**
 * A plain payload, and a read-modify-write as the reader's last look at the version (Boehm, MSPC 2012). The writer
 * opens with a store, and its plain payload may rise above that: still broken.
 */

export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) words[word] = values[word - 1];
  Atomics.store(words, 0, opening + 1);
}

export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, 0);
    if ((version & 1) !== 0) continue;
    for (let word = 1; word < 8; word++) out[word - 1] = words[word];
    if (Atomics.add(words, 0, 0) === version) return retries;
  }
  return -1;
}
