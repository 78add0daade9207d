import type { GuestTime } from "../../guest/guest-time.js";
import type { Ns } from "../../shared/units.js";
import type { ClockFigures } from "../result.js";

/** The largest clock reading that any vCPU was given: the watcher's own, apart from the guests' guard. */
export interface ClockMaximum {
  load(): Ns;
  /** Makes it at least this. */
  raise(ns: Ns): void;
}

/** Watches a clock that must not go back on any CPU. Outside of what it checks: it keeps its own maximum of the readings seen. */
export class ClockMonitor {
  readonly #maximum: ClockMaximum;

  #monitored = 0;
  #rawBackwardSteps = 0;
  #maxRawBackwardNs: Ns = 0;
  #backwardSteps = 0;

  constructor(maximum: ClockMaximum) {
    this.#maximum = maximum;
  }

  /** What any CPU had been given before: to be asked before the clock is read. */
  before(): Ns {
    return this.#maximum.load();
  }

  /** @param before what before() said @param rawNs without the guard @param guardedNs with it */
  after(before: Ns, rawNs: Ns, guardedNs: Ns): void {
    this.#monitored++;
    if (rawNs < before) {
      this.#rawBackwardSteps++;
      this.#maxRawBackwardNs = Math.max(this.#maxRawBackwardNs, before - rawNs);
    }
    if (guardedNs < before) this.#backwardSteps++;
    this.#maximum.raise(guardedNs);
  }

  /** Reads a guest CPU's clock once more, for its own sake. Nothing while there is no page to read it from. */
  watch(time: Pick<GuestTime, "registered" | "nowNs" | "kvmclock">, now: Ns): void {
    if (!time.registered) return;
    const before = this.before();
    const guardedNs = time.nowNs(now);
    this.after(before, time.kvmclock.rawNs, guardedNs);
  }

  figures(): ClockFigures {
    return {
      monitored: this.#monitored,
      rawBackwardSteps: this.#rawBackwardSteps,
      maxRawBackwardNs: this.#maxRawBackwardNs,
      backwardSteps: this.#backwardSteps,
    };
  }
}
