import {
  FLAG_GUEST_STOPPED,
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
import { CpuState } from "./cpu-state.js";
import type { LastValue } from "./last-value.js";
import { MAX_READ_RETRIES, type PageLocation, type PageReader } from "./page-reader.js";
import type { TscRegister } from "./tsc-register.js";

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

/** Scratch of this thread, not of a clock: a machine of many CPUs in one thread would have them all over its memory. */
const CYCLES = new U64();
const NANOSECONDS = new U64();

/** The guest's clock over a pvclock page: kvm_clock_read (arch/x86/kernel/kvmclock.c). */
export class Kvmclock {
  readonly #reader: PageReader;
  readonly #tsc: TscRegister;
  readonly #lastValue: LastValue;
  readonly #cycles = CYCLES;
  readonly #ns = NANOSECONDS;
  readonly #cpu: CpuState;

  /** The last reading by this object before the monotonic guard, for whoever checks the guard. */
  rawNs: Ns = 0;

  constructor(reader: PageReader, tsc: TscRegister, lastValue: LastValue, cpu = new CpuState()) {
    this.#reader = reader;
    this.#tsc = tsc;
    this.#lastValue = lastValue;
    this.#cpu = cpu;
  }

  /**
   * Ns since the virtual machine started, never less than a value returned earlier on any CPU. When the page cannot be
   * read, time stands still: the last value returned on any CPU.
   */
  readNs(page: PageLocation): Ns {
    const read = this.#readUnguarded(page);
    if (!read) this.#ns.setNumber(this.#cpu.clockNs);
    this.rawNs = this.#ns.toNumber();
    const flags = read ? flagsOf(this.#reader.words[SHIFT_AND_FLAGS_WORD]) : 0;
    const stopped = (flags & FLAG_GUEST_STOPPED) !== 0 && this.#reader.protocol.clearGuestStopped(page.base);
    if (stopped) this.#cpu.guestStopped = true;
    if ((flags & FLAG_TSC_STABLE) === 0 && !this.#lastValue.raise(this.#ns)) return this.#cpu.clockNs;
    const clockNs = this.#ns.toNumber();
    this.#cpu.clockNs = clockNs;
    if (!read) this.rawNs = clockNs;
    return clockNs;
  }

  /** Whether the host had stopped this guest, as a reading since the last call found: no CPU of it could run. */
  takeGuestStopped(): boolean {
    const { guestStopped } = this.#cpu;
    if (guestStopped) this.#cpu.guestStopped = false;
    return guestStopped;
  }

  /**
   * The TSC must be read between two looks at one version: a vCPU that moved in between would scale one processor's
   * TSC by another's rate.
   */
  #readUnguarded(page: PageLocation): boolean {
    for (let tries = 0; tries <= MAX_READ_RETRIES; tries++) {
      if (!this.#reader.read(page)) return false;
      this.#tsc.read(this.#cycles);
      if (this.#reader.protocol.versionUnchanged(page.base, this.#reader.words[VERSION_WORD])) {
        pvclockReadNs(this.#reader.words, this.#cycles, this.#ns);
        return true;
      }
    }
    return false;
  }
}
