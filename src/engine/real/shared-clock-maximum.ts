import type { Ns } from "../../shared/units.js";
import type { ClockMaximum } from "../check/clock-monitor.js";

/**
 * One 64-bit word that all vCPU threads share, raised with a compare and exchange of its own. That takes BigInts, which the
 * guest's guard avoids; only every few readings are monitored.
 */
export class SharedClockMaximum implements ClockMaximum {
  readonly #longs: BigInt64Array;
  readonly #index: number;

  constructor(longs: BigInt64Array, index: number) {
    this.#longs = longs;
    this.#index = index;
  }

  load(): Ns {
    return Number(Atomics.load(this.#longs, this.#index));
  }

  raise(ns: Ns): void {
    const value = BigInt(ns);
    for (let seen = Atomics.load(this.#longs, this.#index); seen < value; ) {
      const found = Atomics.compareExchange(this.#longs, this.#index, seen, value);
      if (found === seen) return;
      // Each failure means that another CPU raised it, so this ends.
      seen = found;
    }
  }
}
