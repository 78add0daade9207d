import {
  FLAG_STEAL_MS,
  GUEST_PAGE_BYTES,
  PAGE_WORDS,
  packShiftAndFlags,
  SHIFT_AND_FLAGS_WORD,
  SYSTEM_TIME_WORD,
  TSC_TIMESTAMP_WORD,
  TSC_TO_SYSTEM_MUL_WORD,
} from "../../src/shared/pvclock-page.js";
import { tscRateOf } from "../../src/shared/tsc.js";
import { storeWords } from "../../src/shared/u64.js";
import { writePage } from "../../src/shared/version-protocol.js";
import type { Loop } from "../harness/loop.js";

/** A way to hand steal time from one thread to another: the shipped one, or what one could have used. */
export interface Alternative {
  readonly name: string;
  /** A loop of updates of memory of its own. */
  update(): Loop;
  /** A loop of reads of memory of its own, which was updated once. */
  read(): Loop;
}

export const TSC_KHZ = 2_600_000;

/** A page of its own, in shared memory. */
export function ownPage(): SharedArrayBuffer {
  return new SharedArrayBuffer(GUEST_PAGE_BYTES);
}

/** The words of an update, as a host at 2.6 GHz would publish it after a second. */
export function payload(): Int32Array {
  const { tscToSystemMul, tscShift } = tscRateOf(TSC_KHZ);
  const values = new Int32Array(PAGE_WORDS);
  storeWords(values, TSC_TIMESTAMP_WORD, TSC_KHZ * 1_000);
  storeWords(values, SYSTEM_TIME_WORD, 1_000_000_000);
  values[TSC_TO_SYSTEM_MUL_WORD] = tscToSystemMul | 0;
  values[SHIFT_AND_FLAGS_WORD] = packShiftAndFlags(tscShift, FLAG_STEAL_MS);
  return values;
}

/** A page of its own that holds one update. */
export function writtenPage(): Int32Array {
  const words = new Int32Array(ownPage());
  writePage(words, 0, payload(), PAGE_WORDS, null);
  return words;
}
