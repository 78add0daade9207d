import { type Alternative, ownPage } from "./alternative.js";

// One 32-bit word, stored and loaded whole: no version is needed, and nothing but the steal field can be told.
// The RFC's steal field would be this if it stood alone; milliseconds in 32 bits wrap after 49 days.
export const U32_ATOMIC: Alternative = {
  name: "u32-atomic",
  update() {
    const words = new Int32Array(ownPage());
    return (count) => {
      for (let i = 0; i < count; i++) Atomics.store(words, 1, i);
      return words[1];
    };
  },
  read() {
    const words = new Int32Array(ownPage());
    return (count) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += Atomics.load(words, 1);
      return sum;
    };
  },
};
