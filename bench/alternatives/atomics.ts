import { PAGE_WORDS, STEAL_MS_WORD } from "../../src/shared/pvclock-page.js";
import { readPage, writePage, writeSteal } from "../../src/shared/version-protocol.js";
import type { Loop } from "../harness/loop.js";
import { type Alternative, ownPage, payload, writtenPage } from "./alternative.js";
import { taken } from "./taken.js";

const MAX_RETRIES = 10_000;

// The version protocol with every word through Atomics, by name: sequentially consistent, and legal in ECMAScript.
// Simple to argue about. Linux asks for less of a processor: native.update-linux shows what that saves.
export const ATOMICS: Alternative = {
  name: "atomics",
  update() {
    const words = new Int32Array(ownPage());
    const values = payload();
    return (count) => {
      let version = 0;
      for (let i = 0; i < count; i++) {
        values[STEAL_MS_WORD] = i;
        version = writePage(words, 0, values, PAGE_WORDS, null);
      }
      return version;
    };
  },
  read() {
    const words = writtenPage();
    const out = new Int32Array(PAGE_WORDS);
    return (count) => {
      let all = 0;
      for (let i = 0; i < count; i++) all ^= readPage(words, 0, out, PAGE_WORDS, MAX_RETRIES) ^ taken(out);
      return all;
    };
  },
};

/** Updates that change the steal alone: three stores each. */
export function atomicsStealOnlyLoop(): Loop {
  const words = writtenPage();
  return (count) => {
    let version = 0;
    for (let i = 0; i < count; i++) version = writeSteal(words, 0, i);
    return version;
  };
}
