import { wholeMsOf } from "./division.js";
import { U64 } from "./u64.js";
import { NS_PER_MS, NS_PER_SECOND, type Ns } from "./units.js";

/** The rate of a TSC as the page carries it: ns = ((cycles << tscShift) * tscToSystemMul) >> 32. */
export interface TscRate {
  readonly tscToSystemMul: number;
  /** Negative: shift right. */
  readonly tscShift: number;
}

/**
 * The multiplier and shift for a TSC frequency: what kvm_get_time_scale finds (arch/x86/kvm/x86.c). The frequency is
 * brought into (1 GHz, 2 GHz] by shifting, so that the multiplier uses all 32 bits: it lies in [2^31, 2^32) and, rounded
 * down, errs by less than one part in 2^31 and never ahead.
 *
 * @param tscKhz an integer, 100,000 to 10,000,000
 */
export function tscRateOf(tscKhz: number): TscRate {
  const scaled = BigInt(NS_PER_SECOND);
  let frequencyHz = BigInt(tscKhz) * 1000n;
  let tscShift = 0;
  for (; frequencyHz > scaled * 2n; tscShift--) frequencyHz >>= 1n;
  for (; frequencyHz <= scaled; tscShift++) frequencyHz <<= 1n;
  return { tscToSystemMul: Number((scaled << 32n) / frequencyHz), tscShift };
}

/**
 * Cycles to nanoseconds, exact at 64 bits: pvclock_scale_delta (arch/x86/include/asm/pvclock.h).
 *
 * @param delta cycles since the page's tsc_timestamp; replaced by ns
 * @param tscToSystemMul unsigned 32-bit
 * @param tscShift -31 to 31
 */
export function pvclockScaleDelta(delta: U64, tscToSystemMul: number, tscShift: number): U64 {
  if (tscShift < 0) delta.shiftRight(-tscShift);
  else delta.shiftLeft(tscShift);
  return delta.multiplyHigh(tscToSystemMul);
}

/** Up to here a double holds cycles, and those of one millisecond more, exactly: 40 days at 2.6 GHz. */
const EXACT_CYCLES = Number.MAX_SAFE_INTEGER - 10_000_000;

/** A frequency, and what a counter that runs at it counts. */
export class TscFrequency {
  readonly tscKhz: number;
  readonly rate: TscRate;
  readonly #scratch = new U64();

  /** @param tscKhz an integer, 100,000 to 10,000,000 */
  constructor(tscKhz: number) {
    this.tscKhz = tscKhz;
    this.rate = tscRateOf(tscKhz);
  }

  /** Cycles counted by an instant, rounded down, exact for every instant below 2^53 ns. Written to out. */
  cyclesAt(nowNs: Ns, out: U64): U64 {
    // A millisecond is exactly tscKhz cycles, so whole milliseconds convert without rounding.
    const wholeMs = wholeMsOf(nowNs);
    const remainderNs = nowNs - wholeMs * NS_PER_MS;
    const remainderCycles = wholeMsOf(remainderNs * this.tscKhz);
    const wholeCycles = wholeMs * this.tscKhz;
    if (wholeCycles < EXACT_CYCLES) return out.setNumber(wholeCycles + remainderCycles);
    // 100 days are 8.64e9 ms: wholeMs needs 34 bits, so its upper two are multiplied apart.
    out.setProduct(wholeMs >>> 0, this.tscKhz, remainderCycles);
    const upper = Math.floor(wholeMs / 4_294_967_296);
    if (upper !== 0) out.add(this.#scratch.set(upper * this.tscKhz, 0));
    return out;
  }
}

/**
 * An emulated time stamp counter: counts from 0 at the run's origin. When its machine is moved to a processor of another
 * frequency, it goes on from where it stood.
 */
export class Tsc {
  #frequency: TscFrequency;
  #changedAt: Ns = 0;
  readonly #cyclesAtChange = new U64();
  readonly #scratch = new U64();

  /** @param tscKhz an integer, 100,000 to 10,000,000 */
  constructor(tscKhz: number) {
    this.#frequency = new TscFrequency(tscKhz);
  }

  get rate(): TscRate {
    return this.#frequency.rate;
  }

  /** Cycles counted by an instant, not before the last change of frequency. Written to out. */
  cyclesAt(nowNs: Ns, out: U64): U64 {
    if (this.#changedAt === 0) return this.#frequency.cyclesAt(nowNs, out);
    return this.#frequency.cyclesAt(nowNs - this.#changedAt, out).add(this.#cyclesAtChange);
  }

  /** From here on it counts at another frequency. */
  changeFrequency(tscKhz: number, nowNs: Ns): void {
    this.cyclesAt(nowNs, this.#scratch);
    this.#cyclesAtChange.copy(this.#scratch);
    this.#changedAt = nowNs;
    this.#frequency = new TscFrequency(tscKhz);
  }
}
