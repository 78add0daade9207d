import { PAGE_WORDS } from "../../src/shared/pvclock-page.js";
import { type Alternative, ownPage, payload } from "./alternative.js";
import { taken } from "./taken.js";

/** Where the two copies begin: each in a cache line of its own, as the sequence is. */
const COPIES = 16;
const COPY_WORDS = 16;

function copyBase(sequence: number): number {
  return COPIES + (sequence & 1) * COPY_WORDS;
}

// Two copies and a sequence whose lowest bit says which one is whole: a reader never waits for a writer that stopped halfway.
// The kernel's seqcount_latch, under its own clock in NMIs (ktime_get_mono_fast_ns) and printk.
export const LATCH: Alternative = {
  name: "latch",
  update() {
    const words = new Int32Array(ownPage());
    const values = payload();
    return (count) => {
      let sequence = 0;
      for (let i = 0; i < count; i++) {
        values[1] = i;
        sequence = Atomics.load(words, 0);
        // First the one copy while readers use the other, then the other while they use the one.
        for (let copy = 1; copy <= 2; copy++) {
          Atomics.store(words, 0, (sequence + copy) | 0);
          const base = copyBase(sequence + copy + 1);
          for (let word = 1; word < PAGE_WORDS; word++) Atomics.store(words, base + word, values[word]);
        }
      }
      return sequence;
    };
  },
  read() {
    const words = new Int32Array(ownPage());
    const out = new Int32Array(PAGE_WORDS);
    return (count) => {
      let all = 0;
      for (let i = 0; i < count; i++) {
        const sequence = Atomics.load(words, 0);
        const base = copyBase(sequence);
        for (let word = 1; word < PAGE_WORDS; word++) out[word] = Atomics.load(words, base + word);
        if (Atomics.load(words, 0) === sequence) all ^= taken(out);
      }
      return all;
    };
  },
};
