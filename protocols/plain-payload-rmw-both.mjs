/**
 * A plain payload, a read-modify-write as the reader's last look and one as the writer's opening: the two synchronise
 * in whichever order they come, and the protocol is right, at the price of readers that write.
 */

export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.exchange(words, 0, opening);
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
