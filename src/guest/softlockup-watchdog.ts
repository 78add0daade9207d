import { remainderOf } from "../shared/division.js";
import type { Ns } from "../shared/units.js";
import { CpuState } from "./cpu-state.js";

export type WatchdogMode = "steal-aware" | "plain";

/** What is known of the stall that goes on. */
const Stall = { None: 0, Suppressed: 1, Reported: 2 } as const;

/**
 * The soft lockup detector of one CPU: softlockup_tick of kernel/softlockup.c (2010), kernel/watchdog.c today. A
 * watchdog task of the highest priority is woken every period and touches a stamp; the tick compares. A stamp that grew
 * old means that something kept the task from running.
 *
 * `plain` compares now - touch. A CPU that was itself scheduled out for longer than the threshold is then reported
 * though nothing is wrong in it. `steal-aware` is the RFC's patch 6: time stolen since the touch does not count. A task
 * that really hogs the CPU is still found under steal, later by just what was stolen.
 */
export class SoftlockupWatchdog {
  readonly #stealAware: boolean;
  readonly #thresholdNs: Ns;
  readonly #periodNs: Ns;
  readonly #cpu: CpuState;

  constructor(mode: WatchdogMode, thresholdNs: Ns, periodNs: Ns, cpu = new CpuState()) {
    this.#stealAware = mode === "steal-aware";
    this.#thresholdNs = thresholdNs;
    this.#periodNs = periodNs;
    this.#cpu = cpu;
  }

  /** When the watchdog task is woken next, by the timer's clock; Infinity until started. */
  get nextSample(): Ns {
    return this.#cpu.nextSample;
  }

  get reported(): number {
    return this.#cpu.rare.lockupsReported;
  }

  /** Stalls that `plain` would have reported and that time stolen explains. */
  get suppressed(): number {
    return this.#cpu.rare.lockupsSuppressed;
  }

  /** @param timerNow by the clock of nextSample @param now by the guest's clock, as in touch and check */
  start(timerNow: Ns, now: Ns, stolenNs: Ns): void {
    this.#cpu.nextSample = timerNow + this.#periodNs;
    this.touch(now, stolenNs);
  }

  /** The CPU goes offline, and its watchdog task with it. */
  stop(): void {
    this.#cpu.nextSample = Number.POSITIVE_INFINITY;
  }

  /** The sample timer went off. @returns whether it had */
  sampleDue(timerNow: Ns): boolean {
    const { nextSample } = this.#cpu;
    if (timerNow < nextSample) return false;
    const lateNs = timerNow - nextSample;
    this.#cpu.nextSample = timerNow - remainderOf(lateNs, this.#periodNs) + this.#periodNs;
    return true;
  }

  /** The watchdog task runs, or the CPU leaves tickless idle. @param stolenNs all steal seen so far */
  touch(now: Ns, stolenNs: Ns): void {
    const cpu = this.#cpu;
    cpu.touchedAt = now;
    cpu.stolenAtTouchNs = stolenNs;
    cpu.stall = Stall.None;
  }

  /** In every tick, after the tick's own steal was taken. Each stall is counted once. */
  check(now: Ns, stolenNs: Ns): void {
    const untouchedNs = now - this.#cpu.touchedAt;
    if (untouchedNs > this.#thresholdNs) this.#judge(untouchedNs, stolenNs);
  }

  #judge(untouchedNs: Ns, stolenNs: Ns): void {
    const { stall, stolenAtTouchNs, rare } = this.#cpu;
    if (stall === Stall.Reported) return;
    const stolenSinceNs = this.#stealAware ? stolenNs - stolenAtTouchNs : 0;
    if (untouchedNs - stolenSinceNs > this.#thresholdNs) {
      // Steal had only put it off.
      if (stall === Stall.Suppressed) rare.lockupsSuppressed--;
      this.#cpu.stall = Stall.Reported;
      rare.lockupsReported++;
    } else if (stall === Stall.None) {
      this.#cpu.stall = Stall.Suppressed;
      rare.lockupsSuppressed++;
    }
  }
}
