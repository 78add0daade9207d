import { PAGE_WORDS } from "../../src/shared/pvclock-page.js";
import { type Alternative, ownPage, payload } from "./alternative.js";
import { taken } from "./taken.js";

// The version protocol with nothing but ordinary accesses: wrong, and the floor under whatever could be right.
// Nobody may use it between threads. The virtual engine does, where one thread has all memory to itself.
export const PLAIN: Alternative = {
  name: "plain",
  update() {
    const words = new Int32Array(ownPage());
    const values = payload();
    return (count) => {
      let version = 0;
      for (let i = 0; i < count; i++) {
        values[1] = i;
        const opening = (words[0] + 1) | 1;
        words[0] = opening;
        for (let word = 1; word < PAGE_WORDS; word++) words[word] = values[word];
        version = (opening + 1) | 0;
        words[0] = version;
      }
      return version;
    };
  },
  read() {
    const words = new Int32Array(ownPage());
    const out = new Int32Array(PAGE_WORDS);
    return (count) => {
      let all = 0;
      for (let i = 0; i < count; i++) {
        const version = words[0];
        if ((version & 1) !== 0) continue;
        for (let word = 1; word < PAGE_WORDS; word++) out[word] = words[word];
        if (words[0] === version) all ^= taken(out);
      }
      return all;
    };
  },
};
