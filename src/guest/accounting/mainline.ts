import type { Ns } from "../../shared/units.js";
import { CpuMode, type CpuTime } from "./cpu-time.js";
import type { StealSource, TickAccounting } from "./tick-accounting.js";

/**
 * Today's rule (kernel/sched/cputime.c, since 4.8 without the cap of its release candidates): every tick accounts all
 * new steal, however much, and what it leaves of the tick goes to what the tick interrupted. Idle time loses its steal
 * the same way when it is accounted, on idle exit.
 */
export class MainlineAccounting implements TickAccounting {
  readonly idleIsFinal = false;
  readonly #time: CpuTime;
  readonly #steal: StealSource;
  readonly #tickNsec: Ns;

  constructor(time: CpuTime, steal: StealSource, tickNsec: Ns) {
    this.#time = time;
    this.#steal = steal;
    this.#tickNsec = tickNsec;
  }

  accountProcessTick(mode: CpuMode): void {
    this.#accountLessSteal(mode, this.#tickNsec);
  }

  accountIdleExit(ticks: number): void {
    // With no whole tick to take it from, steal waits for the tick that follows.
    if (ticks > 0) this.#accountLessSteal(CpuMode.Idle, ticks * this.#tickNsec);
  }

  #accountLessSteal(mode: CpuMode, spanNs: Ns): void {
    const stealNs = this.#steal.takeNs();
    this.#time.stealNs += stealNs;
    if (stealNs < spanNs) this.#time.account(mode, spanNs - stealNs);
  }
}
