import type { Clock } from "../shared/clock.js";
import type { Tsc } from "../shared/tsc.js";
import type { U64 } from "../shared/u64.js";

/** The vCPU's time stamp counter: RDTSC over the run's clock. */
export class TscRegister {
  private readonly clock: Clock;
  private readonly tsc: Tsc;

  constructor(clock: Clock, tsc: Tsc) {
    this.clock = clock;
    this.tsc = tsc;
  }

  /** RDTSC. @param out the cycles counted so far */
  read(out: U64): U64 {
    return this.tsc.cyclesAt(this.clock.nowNs(), out);
  }
}
