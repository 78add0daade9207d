import type { Clock } from "../../shared/clock.js";
import { NS_PER_US, type Ns } from "../../shared/units.js";

/** How long a task burns the CPU between two looks at the gate: it bounds what a kick waits for. */
const QUANTUM_NS = 25 * NS_PER_US;
const SHORTEST_QUANTUM_NS = 2 * NS_PER_US;
/** A quantum that took this much longer than it should was interrupted by the real machine. */
const GAP_NS = 200 * NS_PER_US;
const CALIBRATION_ITERATIONS = 10_000;
const CALIBRATION_BATCHES = 4;
/** How fast the estimate of the CPU's speed follows what is seen. */
const SMOOTHING = 1 / 16;

/** Burns real CPU, in quanta of known size. */
export class RealCpu {
  readonly #clock: Clock;
  #iterationsPerNs: number;
  #state = 1;
  /** Of the last quantum: time that the real machine took away. */
  lastGapNs: Ns = 0;
  /** Total iterations: the work that a hog got done. */
  iterations = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#iterationsPerNs = this.#calibrate();
  }

  /** Burns one quantum, less when a deadline is nearer. @returns the instant reached */
  runUntil(deadline: Ns, now: Ns): Ns {
    const aimNs = Math.max(SHORTEST_QUANTUM_NS, Math.min(QUANTUM_NS, deadline - now));
    const iterations = Math.ceil(aimNs * this.#iterationsPerNs);
    this.#burn(iterations);
    const reached = this.#clock.nowNs();
    const tookNs = reached - now;
    this.lastGapNs = tookNs > aimNs + GAP_NS ? tookNs - aimNs : 0;
    // Interrupted quanta say nothing about the CPU's speed.
    if (tookNs < 2 * aimNs && tookNs > 0) {
      this.#iterationsPerNs += (iterations / tookNs - this.#iterationsPerNs) * SMOOTHING;
    }
    return reached;
  }

  #burn(iterations: number): void {
    let state = this.#state;
    for (let iteration = 0; iteration < iterations; iteration++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
    }
    this.#state = state;
    this.iterations += iterations;
  }

  /** The best of several batches; the first ones also let the loop be compiled. */
  #calibrate(): number {
    let best = 0;
    for (let batch = 0; batch < CALIBRATION_BATCHES; batch++) {
      const before = this.#clock.nowNs();
      this.#burn(CALIBRATION_ITERATIONS);
      const tookNs = Math.max(1, this.#clock.nowNs() - before);
      best = Math.max(best, CALIBRATION_ITERATIONS / tookNs);
    }
    this.iterations = 0;
    return best;
  }
}
