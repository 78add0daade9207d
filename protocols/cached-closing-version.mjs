/**
 * When the version has changed, the reader begins again with the version that it has just seen, which would be right,
 * and then closes with that same value out of a register instead of a new look. The first try is right. The writer is
 * right.
 */

export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
}

export function read(words, out, maxRetries) {
  let version = Atomics.load(words, 0);
  let closing = version;
  let closed = false;
  for (let retries = 0; retries <= maxRetries; retries++) {
    if ((version & 1) === 0) {
      for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
      if (!closed) closing = Atomics.load(words, 0);
      if (closing === version) return retries;
      closed = true;
    } else {
      closing = Atomics.load(words, 0);
    }
    version = closing;
  }
  return -1;
}
