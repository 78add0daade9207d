import type { Ns } from "../../shared/units.js";
import { CpuMode, type CpuTime } from "./cpu-time.js";
import type { StealSource, TickAccounting } from "./tick-accounting.js";

/**
 * The RFC's rule (v2, August 2010, patch 4): a tick that finds new time out of guest is all steal, whatever part of the
 * tick it was; its user or system time is not accounted. An idle tick takes the time and drops it: the CPU was out
 * because it had asked to be.
 *
 * A tickless guest has no tick while it is halted, so idle exit takes and drops too. What it waited for a pCPU after its
 * wake-up is dropped with it: this rule's under-report.
 */
export class RfcV2Accounting implements TickAccounting {
  readonly idleIsFinal = true;
  readonly #time: CpuTime;
  readonly #steal: StealSource;
  readonly #tickNsec: Ns;

  constructor(time: CpuTime, steal: StealSource, tickNsec: Ns) {
    this.#time = time;
    this.#steal = steal;
    this.#tickNsec = tickNsec;
  }

  accountProcessTick(mode: CpuMode): void {
    const stealNs = this.#steal.takeNs();
    if (mode === CpuMode.Idle) {
      this.#time.stealDroppedIdleNs += stealNs;
      this.#time.account(CpuMode.Idle, this.#tickNsec);
    } else if (stealNs > 0) {
      this.#time.stealNs += stealNs;
    } else {
      this.#time.account(mode, this.#tickNsec);
    }
  }

  accountIdleExit(ticks: number): void {
    this.#time.stealDroppedIdleNs += this.#steal.takeNs();
    this.#time.account(CpuMode.Idle, ticks * this.#tickNsec);
  }
}
