import { OutState } from "../../host/sched-notifier.js";
import type { Ns } from "../../shared/units.js";
import type { RunResult } from "../result.js";
import { Property } from "./property.js";
import type { RunQueues } from "./run-queues.js";

/** What was seen of one vCPU. */
interface Seen {
  entries: number;
  migrations: number;
  longestWaitNs: Ns;
  waitsSince: Ns | null;
  lastPcpu: number;
}

/** vCPUs run where they may, and the host's figures of that are what was seen: entries, migrations and the longest wait. */
export class Placement extends Property {
  readonly name = "vCPUs run where they may, as often as the host says";
  readonly #queues: RunQueues;
  readonly #seen: readonly Seen[];

  constructor(queues: RunQueues, vcpuCount: number, startNs: Ns) {
    super();
    this.#queues = queues;
    this.#seen = Array.from({ length: vcpuCount }, () => ({
      entries: 0,
      migrations: 0,
      longestWaitNs: 0,
      waitsSince: startNs,
      lastPcpu: -1,
    }));
  }

  override schedIn(vcpu: number, pcpu: number, now: Ns): void {
    this.exercised++;
    const seen = this.#seen[vcpu];
    if (!this.#queues.mayRun(vcpu, pcpu)) this.report(`vCPU ${vcpu} got pCPU ${pcpu} at ${now}, where it may not run`);
    seen.entries++;
    if (seen.lastPcpu >= 0 && seen.lastPcpu !== pcpu) seen.migrations++;
    seen.lastPcpu = pcpu;
    this.#endWait(seen, now);
  }

  override schedOut(vcpu: number, state: OutState, now: Ns): void {
    if (state === OutState.Wait) this.#seen[vcpu].waitsSince = now;
  }

  override woken(vcpu: number, now: Ns): void {
    this.#seen[vcpu].waitsSince = now;
  }

  override suspended(vcpu: number, now: Ns): void {
    this.#endWait(this.#seen[vcpu], now);
  }

  override finished({ vcpus }: RunResult, now: Ns): void {
    for (const { id, host } of vcpus) {
      const seen = this.#seen[id];
      this.#endWait(seen, now);
      this.#compare(id, "entries", host.entries, seen.entries);
      this.#compare(id, "migrations", host.migrations, seen.migrations);
      this.#compare(id, "ns in the longest wait", host.wait.maxNs, seen.longestWaitNs);
    }
  }

  #endWait(seen: Seen, now: Ns): void {
    if (seen.waitsSince !== null) seen.longestWaitNs = Math.max(seen.longestWaitNs, now - seen.waitsSince);
    seen.waitsSince = null;
  }

  #compare(vcpu: number, what: string, said: number | null, seen: number): void {
    if (said !== seen) this.report(`vCPU ${vcpu}: the host says ${said} ${what}, seen were ${seen}`);
  }
}
