import { FLAG_STEAL_MS, packShiftAndFlags } from "../../src/shared/pvclock-page.js";
import { type Alternative, ownPage } from "./alternative.js";

const TSC_FIELD = 1;
const SYSTEM_TIME_FIELD = 2;
const RATE_FIELD = 3;

interface Views {
  readonly words: Int32Array;
  readonly fields: BigInt64Array;
}

function ownViews(): Views {
  const page = ownPage();
  return { words: new Int32Array(page), fields: new BigInt64Array(page) };
}

// The version protocol with the page's 64-bit fields as BigInt atomics: four stores instead of seven.
// What one writes who keeps to the C structure's own fields; each field then costs an object.
export const BIGINT_ATOMICS: Alternative = {
  name: "bigint-atomics",
  update() {
    const { words, fields } = ownViews();
    const rate = (BigInt(packShiftAndFlags(-1, FLAG_STEAL_MS)) << 32n) | 0xc4ec_4ec4n;
    let systemTimeNs = 1_000_000_000n;
    return (count) => {
      for (let i = 0; i < count; i++) {
        systemTimeNs += 1_000n;
        const opening = (Atomics.load(words, 0) + 1) | 1;
        Atomics.store(words, 0, opening);
        Atomics.store(words, 1, i);
        Atomics.store(fields, TSC_FIELD, systemTimeNs);
        Atomics.store(fields, SYSTEM_TIME_FIELD, systemTimeNs);
        Atomics.store(fields, RATE_FIELD, rate);
        Atomics.store(words, 0, (opening + 1) | 0);
      }
      return systemTimeNs;
    };
  },
  read() {
    const { words, fields } = ownViews();
    Atomics.store(fields, SYSTEM_TIME_FIELD, 1_000_000_000n);
    const out = new BigInt64Array(4);
    return (count) => {
      let sum = 0;
      for (let i = 0; i < count; i++) {
        const version = Atomics.load(words, 0);
        if ((version & 1) !== 0) continue;
        const steal = Atomics.load(words, 1);
        for (let field = TSC_FIELD; field <= RATE_FIELD; field++) out[field] = Atomics.load(fields, field);
        if (Atomics.load(words, 0) === version) sum += steal + 1;
      }
      return sum;
    };
  },
};
