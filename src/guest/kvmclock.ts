import { GUEST_STOPPED_MASK, SHIFT_AND_FLAGS_WORD } from "../shared/pvclock-page.js";
import { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import { CpuState } from "./cpu-state.js";
import { MAX_READ_RETRIES, type PageLocation, type PageReader } from "./page-reader.js";
import { GUARD_HELD, PAGE_CHANGED, type PvclockArithmetic } from "./pvclock-arithmetic.js";
import type { TscRegister } from "./tsc-register.js";

/** Scratch of this thread, not of a clock: a machine of many CPUs in one thread would have them all over its memory. */
const CYCLES = new U64();

/** The guest's clock over a pvclock page: kvm_clock_read (arch/x86/kernel/kvmclock.c). */
export class Kvmclock {
  private readonly reader: PageReader;
  private readonly tsc: TscRegister;
  private readonly arithmetic: PvclockArithmetic;
  private readonly cpu: CpuState;

  constructor(reader: PageReader, tsc: TscRegister, arithmetic: PvclockArithmetic, cpu = new CpuState()) {
    this.reader = reader;
    this.tsc = tsc;
    this.arithmetic = arithmetic;
    this.cpu = cpu;
  }

  /** The last reading before the monotonic guard, for whoever checks the guard. */
  get rawNs(): Ns {
    return this.arithmetic.rawNs;
  }

  /**
   * Ns since the virtual machine started, never less than a value returned earlier on any CPU. When the page cannot be
   * read, time stands still: the last value returned on any CPU.
   */
  readNs(page: PageLocation): Ns {
    const { words } = this.reader;
    const clockNs = this.#read(page);
    if (clockNs !== PAGE_CHANGED && (words[SHIFT_AND_FLAGS_WORD] & GUEST_STOPPED_MASK) !== 0) this.#noteStopped(page);
    if (clockNs < 0) return this.#standStill(clockNs);
    this.cpu.clockNs = clockNs;
    return clockNs;
  }

  /** Whether the host had stopped this guest, as a reading since the last call found: no CPU of it could run. */
  takeGuestStopped(): boolean {
    const { guestStopped } = this.cpu;
    if (guestStopped) this.cpu.guestStopped = false;
    return guestStopped;
  }

  /**
   * The TSC must be read between two looks at one version: a vCPU that moved in between would scale one processor's
   * TSC by another's rate.
   *
   * @returns PAGE_CHANGED when no try succeeded
   */
  #read(page: PageLocation): Ns {
    for (let tries = 0; tries <= MAX_READ_RETRIES; tries++) {
      if (!this.reader.read(page)) return PAGE_CHANGED;
      const ns = this.arithmetic.clockNs(page.base, this.tsc.read(CYCLES));
      if (ns !== PAGE_CHANGED) return ns;
    }
    return PAGE_CHANGED;
  }

  /** @param why PAGE_CHANGED or GUARD_HELD */
  #standStill(why: Ns): Ns {
    const cpu = this.cpu;
    const clockNs = why === PAGE_CHANGED ? this.arithmetic.raise(cpu.clockNs) : why;
    // Not even the guard could be asked: this CPU's own last value is at most the guard's.
    if (clockNs !== GUARD_HELD) cpu.clockNs = clockNs;
    return cpu.clockNs;
  }

  #noteStopped({ base }: PageLocation): void {
    if (this.reader.protocol.clearGuestStopped(base)) this.cpu.guestStopped = true;
  }
}
