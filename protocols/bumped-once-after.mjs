/**
 * The writer adds 1 to the version, once, after the payload. There is no odd phase, so the reader can only compare:
 * words of an update whose version is still to come are accepted.
 */

export function write(words, values) {
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.add(words, 0, 1);
}

export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, 0);
    for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
    if (Atomics.load(words, 0) === version) return retries;
  }
  return -1;
}
