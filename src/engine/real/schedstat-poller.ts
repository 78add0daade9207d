import type { LinuxHost } from "../../host/linux-host.js";
import { StealclockError } from "../../shared/errors.js";
import type { Ns } from "../../shared/units.js";
import type { RunChecker } from "../check/run-checker.js";
import { currentThreadId, Schedstat } from "./schedstat.js";
import type { HostGate } from "./vcpu-gate.js";

/** The hypervisor may cost this share of one core; when polling would make it more, it is done less often. */
const MAX_COST_SHARE = 0.02;
/** How fast the estimate of what a poll costs follows what is seen. */
const SMOOTHING = 1 / 8;

/** Reads what the real kernel counted for each vCPU thread, and tells the linux host. */
export class SchedstatPoller {
  readonly #host: LinuxHost;
  readonly #checker: RunChecker;
  readonly #pollNs: Ns;
  #threads: { readonly schedstat: Schedstat; readonly firstOnCpuNs: Ns }[] = [];
  /** The hypervisor's own thread: a poll costs its wake-up and its round of the loop as well as the reading. */
  #own: Schedstat | null = null;
  #costNs: Ns | null = null;
  nextPoll: Ns = Number.POSITIVE_INFINITY;

  constructor(host: LinuxHost, checker: RunChecker, pollNs: Ns) {
    this.#host = host;
    this.#checker = checker;
    this.#pollNs = pollNs;
  }

  /** Takes the threads' present figures as zero. */
  begin(gates: readonly HostGate[], now: Ns): void {
    this.#threads = gates.map((gate) => {
      const schedstat = openOrRefuse(gate.threadId);
      return { schedstat, firstOnCpuNs: schedstat.onCpuNs };
    });
    this.#own = openOrRefuse(currentThreadId());
    this.nextPoll = now + this.#pollNs;
  }

  /** Reads every thread, if it is time to. */
  poll(now: Ns): void {
    if (now < this.nextPoll) return;
    this.#observeAll(now);
    this.nextPoll = now + Math.max(this.#pollNs, this.#pollCostNs() / MAX_COST_SHARE);
  }

  /** Reads one thread: before an exit is booked, so that what it waited until then comes out of its run. */
  observe(vcpu: number, now: Ns): void {
    const { schedstat } = this.#threads[vcpu];
    const { runDelayNs, slices } = schedstat;
    schedstat.read();
    const waitedNs = schedstat.runDelayNs - runDelayNs;
    if (waitedNs > 0) this.#checker.waited(vcpu, waitedNs, now);
    this.#host.observe(vcpu, waitedNs, schedstat.slices - slices, now);
  }

  /** The last look, when every thread has parked. */
  finish(now: Ns): void {
    this.#observeAll(now);
    for (const { schedstat } of this.#threads) schedstat.close();
    this.#own?.close();
  }

  /** On-CPU time since begin, as the kernel counts it. */
  onCpuNs(vcpu: number): Ns {
    const { schedstat, firstOnCpuNs } = this.#threads[vcpu];
    return schedstat.onCpuNs - firstOnCpuNs;
  }

  #observeAll(now: Ns): void {
    for (let vcpu = 0; vcpu < this.#threads.length; vcpu++) this.observe(vcpu, now);
  }

  /** What this thread used of its core since the last poll. */
  #pollCostNs(): Ns {
    if (this.#own === null) return 0;
    const before = this.#own.onCpuNs;
    this.#own.read();
    const costNs = this.#own.onCpuNs - before;
    this.#costNs = this.#costNs === null ? costNs : this.#costNs + (costNs - this.#costNs) * SMOOTHING;
    return this.#costNs;
  }
}

function openOrRefuse(threadId: number): Schedstat {
  const schedstat = Schedstat.open(threadId);
  if (schedstat !== null) return schedstat;
  throw new StealclockError("unsupported", "the linux host needs /proc/self/task/TID/schedstat; this kernel has none");
}
