import type { Ns } from "../../shared/units.js";
import type { ClockFigures } from "../result.js";

/**
 * Watches a clock that must not go back on any CPU. Outside of what it checks: it keeps its own maximum of the readings
 * seen, in one 64-bit word that all vCPU threads share, and raises it with a compare and exchange of its own. (That
 * takes BigInts, which the guest's guard avoids; only every few readings are monitored.)
 */
export class ClockMonitor {
  readonly #longs: BigInt64Array;
  readonly #index: number;

  #monitored = 0;
  #rawBackwardSteps = 0;
  #maxRawBackwardNs: Ns = 0;
  #backwardSteps = 0;

  constructor(longs: BigInt64Array, index: number) {
    this.#longs = longs;
    this.#index = index;
  }

  /** What any CPU had been given before: to be asked before the clock is read. */
  before(): Ns {
    return Number(Atomics.load(this.#longs, this.#index));
  }

  /** @param before what before() said @param rawNs without the guard @param guardedNs with it */
  after(before: Ns, rawNs: Ns, guardedNs: Ns): void {
    this.#monitored++;
    if (rawNs < before) {
      this.#rawBackwardSteps++;
      this.#maxRawBackwardNs = Math.max(this.#maxRawBackwardNs, before - rawNs);
    }
    if (guardedNs < before) this.#backwardSteps++;
    this.#raise(BigInt(guardedNs));
  }

  figures(): ClockFigures {
    return {
      monitored: this.#monitored,
      rawBackwardSteps: this.#rawBackwardSteps,
      maxRawBackwardNs: this.#maxRawBackwardNs,
      backwardSteps: this.#backwardSteps,
    };
  }

  #raise(value: bigint): void {
    for (let seen = Atomics.load(this.#longs, this.#index); seen < value; ) {
      const found = Atomics.compareExchange(this.#longs, this.#index, seen, value);
      if (found === seen) return;
      // Each failure means that another CPU raised it, so this ends.
      seen = found;
    }
  }
}
