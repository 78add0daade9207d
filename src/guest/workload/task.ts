import type { Ns } from "../../shared/units.js";
import type { CpuMode } from "../accounting/cpu-time.js";

/** What a CPU's only task does with the time it gets. A plain state machine: it is told what it used. */
export interface Task {
  /** What a tick would interrupt now. Meaningless while halted. */
  readonly mode: CpuMode;
  /** It waits for wakeAt (or an interrupt): the CPU is idle. */
  readonly halted: boolean;
  /** With halted: its timer; Infinity for none. */
  readonly wakeAt: Ns;
  /** While not halted: CPU time until mode or halted changes; Infinity for never. */
  readonly remainingNs: Ns;
  /** false: it never lets another task run, the watchdog's included. */
  readonly preemptible: boolean;
  /** The CPU goes live. */
  start(now: Ns): void;
  /** It used CPU time up to now. */
  ran(ns: Ns, now: Ns): void;
  /** The CPU left idle, for whatever reason. */
  woken(now: Ns): void;
}
