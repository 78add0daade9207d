import type { Ns } from "../../shared/units.js";
import { CpuMode, type CpuTime } from "./cpu-time.js";
import type { TickAccounting } from "./tick-accounting.js";

/** A kernel that knows nothing of steal: a tick is a tick, and time in which none came is nowhere. */
export class NoStealAccounting implements TickAccounting {
  readonly idleIsFinal = true;
  readonly #time: CpuTime;
  readonly #tickNsec: Ns;

  constructor(time: CpuTime, tickNsec: Ns) {
    this.#time = time;
    this.#tickNsec = tickNsec;
  }

  accountProcessTick(mode: CpuMode): void {
    this.#time.account(mode, this.#tickNsec);
  }

  accountIdleExit(ticks: number): void {
    this.#time.account(CpuMode.Idle, ticks * this.#tickNsec);
  }
}
