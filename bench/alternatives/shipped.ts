import { PAGE_WORDS, STEAL_MS_WORD } from "../../src/shared/pvclock-page.js";
import { readPage, writePage } from "../../src/shared/version-protocol.js";
import { type Alternative, ownPage, payload, writtenPage } from "./alternative.js";

const MAX_RETRIES = 10_000;

// The protocol as this package ships it, in whichever backend it runs by default: what its host and its guests use.
// KVM's pvclock page is written and read so, and every guest with kvmclock depends on it.
export const SHIPPED: Alternative = {
  name: "shipped",
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
      let sum = 0;
      for (let i = 0; i < count; i++) sum += readPage(words, 0, out, PAGE_WORDS, MAX_RETRIES) + out[STEAL_MS_WORD];
      return sum;
    };
  },
};
