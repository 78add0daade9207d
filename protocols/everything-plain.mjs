/**
 * No Atomics at all. On x86 it works as long as the compiler leaves every access where it stands.
 */

export function write(words, values) {
  const opening = (words[0] + 1) | 1;
  words[0] = opening;
  for (let word = 1; word < 8; word++) words[word] = values[word - 1];
  words[0] = opening + 1;
}

export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = words[0];
    if ((version & 1) !== 0) continue;
    for (let word = 1; word < 8; word++) out[word - 1] = words[word];
    if (words[0] === version) return retries;
  }
  return -1;
}
