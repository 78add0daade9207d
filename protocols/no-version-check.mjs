/**
 * The reader never looks at the version: it takes whatever words it finds. The writer is right.
 */

export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
}

export function read(words, out) {
  for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
  return 0;
}
