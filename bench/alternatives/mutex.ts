import { PAGE_WORDS } from "../../src/shared/pvclock-page.js";
import { type Alternative, ownPage, payload } from "./alternative.js";
import { taken } from "./taken.js";

const FREE = 0;
const HELD = 1;
const WAITED_FOR = 2;
/** In a cache line of its own. */
const LOCK_WORD = 32;

function lock(words: Int32Array): void {
  let found = Atomics.compareExchange(words, LOCK_WORD, FREE, HELD);
  while (found !== FREE) {
    if (found === WAITED_FOR || Atomics.compareExchange(words, LOCK_WORD, HELD, WAITED_FOR) !== FREE) {
      Atomics.wait(words, LOCK_WORD, WAITED_FOR);
    }
    found = Atomics.compareExchange(words, LOCK_WORD, FREE, WAITED_FOR);
  }
}

function unlock(words: Int32Array): void {
  if (Atomics.exchange(words, LOCK_WORD, FREE) === WAITED_FOR) Atomics.notify(words, LOCK_WORD, 1);
}

// A mutex on Atomics.wait and notify, of three states as a futex has; under it the words are ordinary ones.
// What most programs use. A reader that loses its processor inside holds up the host, which no host may allow.
export const MUTEX: Alternative = {
  name: "mutex",
  update() {
    const words = new Int32Array(ownPage());
    const values = payload();
    return (count) => {
      for (let i = 0; i < count; i++) {
        values[1] = i;
        lock(words);
        for (let word = 1; word < PAGE_WORDS; word++) words[word] = values[word];
        unlock(words);
      }
      return words[1];
    };
  },
  read() {
    const words = new Int32Array(ownPage());
    const out = new Int32Array(PAGE_WORDS);
    return (count) => {
      let all = 0;
      for (let i = 0; i < count; i++) {
        lock(words);
        for (let word = 1; word < PAGE_WORDS; word++) out[word] = words[word];
        unlock(words);
        all ^= taken(out);
      }
      return all;
    };
  },
};
