/**
 * Where one thread has all of the memory to itself nobody races, and an ordinary access does what an atomic one does, at a
 * fraction of its cost: V8 calls a builtin for each of Atomics' functions and inlines these. The code of the protocol stays
 * the very same; it finds other functions under the old name.
 */
const PLAIN_ATOMICS = {
  load(words: Int32Array, index: number): number {
    return words[index];
  },
  store(words: Int32Array, index: number, value: number): number {
    words[index] = value;
    return value;
  },
  and(words: Int32Array, index: number, value: number): number {
    const before = words[index];
    words[index] = before & value;
    return before;
  },
  or(words: Int32Array, index: number, value: number): number {
    const before = words[index];
    words[index] = before | value;
    return before;
  },
  xor(words: Int32Array, index: number, value: number): number {
    const before = words[index];
    words[index] = before ^ value;
    return before;
  },
  compareExchange(words: Int32Array, index: number, expected: number, value: number): number {
    const before = words[index];
    if (before === expected) words[index] = value;
    return before;
  },
};

/**
 * Puts plain accesses in the place of this thread's Atomics, for good.
 *
 * @returns the real ones, for what is shared with another thread after all
 */
export function installPlainAtomics(): typeof Atomics {
  const real = Atomics;
  // Neither writable nor configurable: to the compiler it is a constant.
  Object.defineProperty(globalThis, "Atomics", { value: PLAIN_ATOMICS, writable: false, configurable: false });
  return real;
}
