import type { Clock } from "../shared/clock.js";
import type { TscFrequency } from "../shared/tsc.js";
import type { U64 } from "../shared/u64.js";

/** The vCPU's time stamp counter: RDTSC over the run's clock. */
export class TscRegister {
  readonly #clock: Clock;
  readonly #frequency: TscFrequency;

  constructor(clock: Clock, frequency: TscFrequency) {
    this.#clock = clock;
    this.#frequency = frequency;
  }

  /** RDTSC. @param out the cycles counted so far */
  read(out: U64): U64 {
    return this.#frequency.cyclesAt(this.#clock.nowNs(), out);
  }
}
