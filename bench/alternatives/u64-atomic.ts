import { type Alternative, ownPage } from "./alternative.js";

// One 64-bit word, stored and loaded by a single-copy atomic access: nanoseconds of steal with no version at all.
// ARM's stolen time (pvtime, DEN0057) is this. ECMAScript has it for BigInt alone.
export const U64_ATOMIC: Alternative = {
  name: "u64-atomic",
  update() {
    const words = new BigInt64Array(ownPage());
    // A counter of its own as a BigInt: to convert a number in each update would be no part of what it costs.
    let stealNs = 0n;
    return (count) => {
      for (let i = 0; i < count; i++) {
        stealNs += 1_000n;
        Atomics.store(words, 1, stealNs);
      }
      return stealNs;
    };
  },
  read() {
    const words = new BigInt64Array(ownPage());
    Atomics.store(words, 1, 123_456_789n);
    return (count) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += Number(BigInt.asIntN(53, Atomics.load(words, 1)));
      return sum;
    };
  },
};
