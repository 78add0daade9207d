import type { PageProtocol } from "../shared/page-protocol.js";
import {
  FLAG_TSC_STABLE,
  flagsOf,
  SHIFT_AND_FLAGS_WORD,
  SYSTEM_TIME_WORD,
  TSC_TIMESTAMP_WORD,
  TSC_TO_SYSTEM_MUL_WORD,
  tscShiftOf,
  VERSION_WORD,
} from "../shared/pvclock-page.js";
import { pvclockScaleDelta } from "../shared/tsc.js";
import { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import type { LastValue } from "./last-value.js";
import { GUARD_HELD, PAGE_CHANGED, type PvclockArithmetic } from "./pvclock-arithmetic.js";

/**
 * Nanoseconds by the words of one consistent update and a TSC: __pvclock_read_cycles (arch/x86/include/asm/pvclock.h).
 * A TSC below the page's stamp counts as no time passed since, where the kernel would jump ahead by 2^64 cycles.
 *
 * @param cycles the TSC; overwritten
 * @param out receives system_time + the scaled difference
 */
export function pvclockReadNs(words: Int32Array, cycles: U64, out: U64): U64 {
  out.set(words[TSC_TIMESTAMP_WORD + 1], words[TSC_TIMESTAMP_WORD]);
  if (cycles.lessThan(out)) cycles.set(0, 0);
  else cycles.subtract(out);
  pvclockScaleDelta(cycles, words[TSC_TO_SYSTEM_MUL_WORD] >>> 0, tscShiftOf(words[SHIFT_AND_FLAGS_WORD]));
  return out.set(words[SYSTEM_TIME_WORD + 1], words[SYSTEM_TIME_WORD]).add(cycles);
}

/** The clock's arithmetic in JavaScript, which has no integers of 64 bits that cost nothing: in halves of 32. */
export class PvclockInHalves implements PvclockArithmetic {
  rawNs: Ns = 0;
  readonly #protocol: PageProtocol;
  readonly #lastValue: LastValue;
  readonly #ns = new U64();

  constructor(protocol: PageProtocol, lastValue: LastValue) {
    this.#protocol = protocol;
    this.#lastValue = lastValue;
  }

  clockNs(base: number, cycles: U64): Ns {
    const { words } = this.#protocol;
    if (!this.#protocol.versionUnchanged(base, words[VERSION_WORD])) return PAGE_CHANGED;
    pvclockReadNs(words, cycles, this.#ns);
    this.rawNs = this.#ns.toNumber();
    if ((flagsOf(words[SHIFT_AND_FLAGS_WORD]) & FLAG_TSC_STABLE) !== 0) return this.rawNs;
    return this.#guarded();
  }

  raise(ns: Ns): Ns {
    this.#ns.setNumber(ns);
    this.rawNs = this.#guarded();
    return this.rawNs;
  }

  #guarded(): Ns {
    return this.#lastValue.raise(this.#ns) ? this.#ns.toNumber() : GUARD_HELD;
  }
}
