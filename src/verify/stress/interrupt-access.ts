type AtomicFunction = (words: Int32Array, index: number, ...operands: number[]) => number;

/** Of a protocol that is in JavaScript interruptAccess(), of the WebAssembly one its own. */
export type InterruptAccess = (
  operation: "load" | "store",
  words: Int32Array,
  index: number,
  intruder: () => void,
) => () => void;

/**
 * Calls `intruder` once, in the middle of whatever code next makes this access: just before it. That code is the
 * protocol's own, unchanged: it reaches shared words by the global Atomics, and one of its functions is put away until
 * the access has come.
 *
 * @param index of the word in `words`
 * @returns takes it away again, when the access did not come
 */
export const interruptAccess: InterruptAccess = (operation, words, index, intruder) => {
  const original = Atomics[operation] as AtomicFunction;
  const restore = () => void Reflect.set(Atomics, operation, original);
  const intruded: AtomicFunction = (accessed, accessedIndex, ...operands) => {
    if (accessed === words && accessedIndex === index) {
      restore();
      intruder();
    }
    return original(accessed, accessedIndex, ...operands);
  };
  Reflect.set(Atomics, operation, intruded);
  return restore;
};
