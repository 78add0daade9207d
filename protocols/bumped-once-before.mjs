/**
 * The writer adds 1 to the version, once, before the payload. A reader that comes in between finds the new version
 * before and after, and half of the words.
 */

export function write(words, values) {
  Atomics.add(words, 0, 1);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
}

export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, 0);
    for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
    if (Atomics.load(words, 0) === version) return retries;
  }
  return -1;
}
