import type { Ns } from "../../shared/units.js";
import type { CpuMode } from "./cpu-time.js";

/**
 * A kernel's rule for turning ticks into user, system, idle and steal time. One file an era; each gets its CpuTime,
 * its source of steal and the length of a tick when it is made, and is told what happened.
 */
export interface TickAccounting {
  /** Idle time in progress will be booked as idle to the last tick: leaving idle takes no steal out of it. */
  readonly idleIsFinal: boolean;
  /** One tick: account_process_tick (kernel/sched.c in 2010, kernel/sched/cputime.c today). */
  accountProcessTick(mode: CpuMode): void;
  /**
   * The CPU leaves tickless idle, before any tick that is pending then: account_idle_ticks.
   *
   * @param ticks tick deadlines that passed without a tick, the pending one not counted; may be 0
   */
  accountIdleExit(ticks: number): void;
}

/** Where steal comes from: the difference since the last call, in ns. */
export interface StealSource {
  takeNs(): Ns;
}
