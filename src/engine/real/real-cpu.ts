import type { Clock } from "../../shared/clock.js";
import { NS_PER_US, type Ns } from "../../shared/units.js";

/** How long a task burns the CPU between two looks at the gate: it bounds what a kick waits for. */
const QUANTUM_NS = 25 * NS_PER_US;
const SHORTEST_QUANTUM_NS = 2 * NS_PER_US;
/** A quantum that took this much longer than it should was interrupted by the real machine. */
const GAP_NS = 200 * NS_PER_US;
/** A first guess of the CPU's speed, low: the first quanta are then short, and the estimate is soon right. */
const FIRST_ITERATIONS_PER_NS = 0.05;
/** How fast the estimate follows what is seen, in the long run. */
const SMOOTHING = 1 / 16;

/** Burns real CPU, in quanta of known size. */
export class RealCpu {
  readonly #clock: Clock;
  #iterationsPerNs = FIRST_ITERATIONS_PER_NS;
  #measuredQuanta = 0;
  #state = 1;
  /** Of the last quantum: time that the real machine took away. */
  lastGapNs: Ns = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Burns one quantum, less when a deadline is nearer. @returns the instant reached */
  runUntil(deadline: Ns, now: Ns): Ns {
    const aimNs = Math.max(SHORTEST_QUANTUM_NS, Math.min(QUANTUM_NS, deadline - now));
    const iterations = Math.ceil(aimNs * this.#iterationsPerNs);
    this.#burn(iterations);
    const reached = this.#clock.nowNs();
    const tookNs = reached - now;
    this.lastGapNs = tookNs > aimNs + GAP_NS ? tookNs - aimNs : 0;
    this.#learn(iterations / Math.max(1, tookNs));
    return reached;
  }

  /** The first quanta count fully, so that nobody has to wait for a calibration when hundreds of threads start. */
  #learn(iterationsPerNs: number): void {
    // Interrupted quanta say nothing about the CPU's speed.
    if (this.lastGapNs > 0) return;
    this.#measuredQuanta++;
    const weight = Math.max(SMOOTHING, 1 / this.#measuredQuanta);
    this.#iterationsPerNs += (iterationsPerNs - this.#iterationsPerNs) * weight;
  }

  #burn(iterations: number): void {
    let state = this.#state;
    for (let iteration = 0; iteration < iterations; iteration++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
    }
    this.#state = state;
  }
}
