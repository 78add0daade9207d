/**
 * Atomics on the version alone. On x86 plain loads and stores keep their order, so that it works there; by ECMAScript's
 * memory model, and on ARM64, a plain load may sink below the last look at the version, and a plain store may rise
 * above the opening one.
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
    if (Atomics.load(words, 0) === version) return retries;
  }
  return -1;
}
