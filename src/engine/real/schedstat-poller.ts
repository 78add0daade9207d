import type { LinuxHost } from "../../host/linux-host.js";
import { StealclockError } from "../../shared/errors.js";
import type { Ns } from "../../shared/units.js";
import type { RunChecker } from "../check/run-checker.js";
import type { RealClock } from "./real-clock.js";
import { Schedstat } from "./schedstat.js";
import type { HostGate } from "./vcpu-gate.js";

/** Polling may cost this share of one core; when it would cost more it is done less often. */
const MAX_COST_SHARE = 0.02;
/** How fast the estimate of a poll's cost follows what is seen. */
const SMOOTHING = 1 / 8;

/** Reads what the real kernel counted for each vCPU thread, and tells the linux host. */
export class SchedstatPoller {
  readonly #host: LinuxHost;
  readonly #checker: RunChecker;
  readonly #pollNs: Ns;
  #threads: { readonly schedstat: Schedstat; readonly firstOnCpuNs: Ns }[] = [];
  #costNs = 0;
  nextPoll: Ns = Number.POSITIVE_INFINITY;

  constructor(host: LinuxHost, checker: RunChecker, pollNs: Ns) {
    this.#host = host;
    this.#checker = checker;
    this.#pollNs = pollNs;
  }

  /** Takes the threads' present figures as zero. */
  begin(gates: readonly HostGate[], now: Ns): void {
    this.#threads = gates.map((gate) => {
      const schedstat = Schedstat.open(gate.threadId);
      if (schedstat === null) {
        throw new StealclockError(
          "unsupported",
          "the linux host needs /proc/self/task/TID/schedstat; this kernel has none",
        );
      }
      return { schedstat, firstOnCpuNs: schedstat.onCpuNs };
    });
    this.nextPoll = now + this.#pollNs;
  }

  /** Reads every thread, if it is time to. */
  poll(now: Ns, clock: RealClock): void {
    if (now < this.nextPoll) return;
    this.#observe(now);
    const doneAt = clock.nowNs();
    this.#costNs += (doneAt - now - this.#costNs) * SMOOTHING;
    this.nextPoll = doneAt + Math.max(this.#pollNs, this.#costNs / MAX_COST_SHARE);
  }

  /** The last look, when every thread has parked. */
  finish(now: Ns): void {
    this.#observe(now);
    for (const { schedstat } of this.#threads) schedstat.close();
  }

  /** On-CPU time since begin, as the kernel counts it. */
  onCpuNs(vcpu: number): Ns {
    const { schedstat, firstOnCpuNs } = this.#threads[vcpu];
    return schedstat.onCpuNs - firstOnCpuNs;
  }

  #observe(now: Ns): void {
    this.#threads.forEach(({ schedstat }, vcpu) => {
      const { runDelayNs, slices } = schedstat;
      schedstat.read();
      const waitedNs = schedstat.runDelayNs - runDelayNs;
      if (waitedNs > 0) this.#checker.waited(vcpu, waitedNs);
      this.#host.observe(vcpu, waitedNs, schedstat.slices - slices, now);
    });
  }
}
