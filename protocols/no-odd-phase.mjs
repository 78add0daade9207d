/**
 * The writer adds 2 to the version when it is done; nothing tells that it is at work. The reader is right, but never
 * finds an odd version to wait for.
 */

export function write(words, values) {
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.add(words, 0, 2);
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
