import { remainderOf } from "../shared/division.js";
import type { Ns } from "../shared/units.js";

export type WatchdogMode = "steal-aware" | "plain";

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
  #touchedAt: Ns = 0;
  #stolenAtTouchNs: Ns = 0;
  #stall: "none" | "suppressed" | "reported" = "none";

  /** When the watchdog task is woken next, by the timer's clock; Infinity until started. */
  nextSample: Ns = Number.POSITIVE_INFINITY;
  reported = 0;
  /** Stalls that `plain` would have reported and that time stolen explains. */
  suppressed = 0;

  constructor(mode: WatchdogMode, thresholdNs: Ns, periodNs: Ns) {
    this.#stealAware = mode === "steal-aware";
    this.#thresholdNs = thresholdNs;
    this.#periodNs = periodNs;
  }

  /** @param timerNow by the clock of nextSample @param now by the guest's clock, as in touch and check */
  start(timerNow: Ns, now: Ns, stolenNs: Ns): void {
    this.nextSample = timerNow + this.#periodNs;
    this.touch(now, stolenNs);
  }

  /** The CPU goes offline, and its watchdog task with it. */
  stop(): void {
    this.nextSample = Number.POSITIVE_INFINITY;
  }

  /** The sample timer went off. @returns whether it had */
  sampleDue(timerNow: Ns): boolean {
    if (timerNow < this.nextSample) return false;
    const lateNs = timerNow - this.nextSample;
    this.nextSample += lateNs - remainderOf(lateNs, this.#periodNs) + this.#periodNs;
    return true;
  }

  /** The watchdog task runs, or the CPU leaves tickless idle. @param stolenNs all steal seen so far */
  touch(now: Ns, stolenNs: Ns): void {
    this.#touchedAt = now;
    this.#stolenAtTouchNs = stolenNs;
    this.#stall = "none";
  }

  /** In every tick, after the tick's own steal was taken. Each stall is counted once. */
  check(now: Ns, stolenNs: Ns): void {
    if (this.#stall === "reported") return;
    const untouchedNs = now - this.#touchedAt;
    if (untouchedNs <= this.#thresholdNs) return;
    const stolenSinceNs = this.#stealAware ? stolenNs - this.#stolenAtTouchNs : 0;
    if (untouchedNs - stolenSinceNs > this.#thresholdNs) {
      // Steal had only put it off.
      if (this.#stall === "suppressed") this.suppressed--;
      this.#stall = "reported";
      this.reported++;
    } else if (this.#stall === "none") {
      this.#stall = "suppressed";
      this.suppressed++;
    }
  }
}
