import { OutState } from "../../host/sched-notifier.js";
import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";
import type { RunQueues } from "./run-queues.js";

/**
 * No pCPU idles while a vCPU waits that may run there, once all that an instant brings is done. Host tasks hold pCPUs unheard. So
 * the pCPUs that somebody waits for and no vCPU holds must be held by host tasks: it must be possible to give each of
 * them a task of its own that may run there, and all of that time must be no more than the tasks can use.
 */
export class WorkConservation extends Property {
  readonly name = "no pCPU idles while somebody waits for it";
  readonly #queues: RunQueues;
  readonly #witnesses: readonly VcpuWitness[];
  readonly #hostTasks: Scenario["hostTasks"];
  readonly #taskIds: readonly number[];
  readonly #startNs: Ns;
  /** vCPU by pCPU, -1 where none is. */
  readonly #holders: Int32Array;
  /** Host task by pCPU in the matching at hand, -1 for none. */
  readonly #givenTo: Int32Array;
  #unheldPcpus = 0;
  #unheldSince: Ns;
  /** Time of pCPUs that host tasks must have used. */
  #unheldNs: Ns = 0;
  #ended = false;

  constructor(scenario: Scenario, queues: RunQueues, witnesses: readonly VcpuWitness[]) {
    super();
    this.#queues = queues;
    this.#witnesses = witnesses;
    this.#hostTasks = scenario.hostTasks;
    this.#taskIds = queues.hostTasks;
    this.#startNs = scenario.startAtNs;
    this.#unheldSince = scenario.startAtNs;
    this.#holders = new Int32Array(scenario.pcpus).fill(-1);
    this.#givenTo = new Int32Array(scenario.pcpus);
  }

  override schedIn(vcpu: number, pcpu: number): void {
    if (pcpu < this.#holders.length) this.#holders[pcpu] = vcpu;
  }

  override schedOut(vcpu: number): void {
    this.#holders[this.#witnesses[vcpu].pcpu] = -1;
  }

  override instantOver(now: Ns): void {
    if (this.#ended) return;
    this.#book(now);
    const waiting = [...this.#witnesses.keys()].filter((vcpu) => this.#waits(vcpu));
    const unheld: number[] = [];
    if (waiting.length > 0) {
      this.exercised++;
      this.#holders.forEach((holder, pcpu) => {
        if (holder < 0 && waiting.some((vcpu) => this.#queues.mayRun(vcpu, pcpu))) unheld.push(pcpu);
      });
    }
    this.#unheldPcpus = unheld.length;
    if (unheld.length > 0 && !this.#canBeHeldByTasks(unheld)) {
      const somebody = waiting.filter((vcpu) => unheld.some((pcpu) => this.#queues.mayRun(vcpu, pcpu)));
      this.report(`at ${now} pCPU ${unheld.join(", ")} idled though vCPU ${somebody.join(", ")} waited`);
    }
  }

  override stopping(now: Ns): void {
    this.#book(now);
    this.#ended = true;
    const capacityNs = this.#hostTasks.reduce((sum, task) => sum + mostNs(task, now - this.#startNs), 0);
    if (this.#unheldNs > capacityNs) {
      const used = `pCPUs that vCPUs waited for were without one for ${this.#unheldNs} ns`;
      this.report(`${used}; the host's tasks can have used ${capacityNs}`);
    }
  }

  #waits(vcpu: number): boolean {
    const { inGuest, state } = this.#witnesses[vcpu];
    return !inGuest && state === OutState.Wait;
  }

  #book(now: Ns): void {
    this.#unheldNs += this.#unheldPcpus * (now - this.#unheldSince);
    this.#unheldSince = now;
  }

  /** A matching of pCPUs and host tasks, by augmenting paths (Kuhn). */
  #canBeHeldByTasks(pcpus: readonly number[]): boolean {
    if (pcpus.length > this.#taskIds.length) return false;
    this.#givenTo.fill(-1);
    return this.#taskIds.filter((task) => this.#give(task, pcpus, new Set())).length >= pcpus.length;
  }

  #give(task: number, pcpus: readonly number[], tried: Set<number>): boolean {
    for (const pcpu of pcpus) {
      if (tried.has(pcpu) || !this.#queues.mayRun(task, pcpu)) continue;
      tried.add(pcpu);
      if (this.#givenTo[pcpu] < 0 || this.#give(this.#givenTo[pcpu], pcpus, tried)) {
        this.#givenTo[pcpu] = task;
        return true;
      }
    }
    return false;
  }
}

/** What a host task can use in a span from its start: all of it, or a burst for each period that begins in it and one more. */
function mostNs({ workload }: Scenario["hostTasks"][number], spanNs: Ns): Ns {
  if (workload.kind === "hog") return spanNs;
  return Math.min(spanNs, (Math.floor(spanNs / workload.periodNs) + 2) * workload.busyNs);
}
