import { remainderOf } from "./division.js";
import { burstNs, type Jitter } from "./jitter.js";
import type { Ns } from "./units.js";

/**
 * A task that uses busyNs of CPU, then halts to the next period boundary: `duty:70%/10ms`, in the guest and on the host.
 * Boundaries lie periodNs apart from the start on; whoever got its CPU late skips those that passed, as a control
 * loop does. Where its state is kept is for others to say.
 */
export abstract class DutyRule {
  readonly #busyNs: Ns;
  readonly #periodNs: Ns;
  readonly #jitter: Jitter | null;

  abstract halted: boolean;
  /** With halted: the next boundary; Infinity otherwise. */
  abstract wakeAt: Ns;
  /** While not halted: CPU time until it halts. */
  abstract remainingNs: Ns;
  protected abstract startedAt: Ns;

  constructor(busyNs: Ns, periodNs: Ns, jitter: Jitter | null = null) {
    this.#busyNs = busyNs;
    this.#periodNs = periodNs;
    this.#jitter = jitter;
  }

  start(now: Ns): void {
    this.startedAt = now;
    this.remainingNs = burstNs(this.#busyNs, this.#jitter);
  }

  ran(ns: Ns, now: Ns): void {
    if (this.halted) return;
    const remainingNs = this.remainingNs - ns;
    this.remainingNs = remainingNs;
    if (remainingNs > 0) return;
    const sinceStartNs = now - this.startedAt;
    this.halted = true;
    this.wakeAt = now - remainderOf(sinceStartNs, this.#periodNs) + this.#periodNs;
  }

  woken(now: Ns): void {
    if (!this.halted || now < this.wakeAt) return;
    this.halted = false;
    this.wakeAt = Number.POSITIVE_INFINITY;
    this.remainingNs = burstNs(this.#busyNs, this.#jitter);
  }
}
