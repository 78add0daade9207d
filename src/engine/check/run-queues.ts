import { weightOfNice } from "../../host/weights.js";
import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import { overrunNsOf } from "./overrun.js";

/** Virtual time is kept in whole ns of a nice-0 task: at either end of an interval two positions are off by up to one each. */
const ROUNDINGS = 4;
const NICE_0_WEIGHT = 1024;

/** Somebody who competes for the pCPUs. */
interface Competitor {
  readonly weight: number;
  /** The pCPUs that it may run on, or null for all. */
  readonly pcpus: ReadonlySet<number> | null;
  /** It never sleeps. */
  readonly constant: boolean;
}

/**
 * What a scenario alone says of the run queues. Nobody is told in which queue a vCPU waits; but where it may run on one pCPU
 * only, that is the one.
 */
export class RunQueues {
  readonly #competitors: readonly Competitor[];
  readonly #pcpus: number;
  readonly #vcpus: number;
  readonly sliceNs: Ns;
  readonly overrunNs: Ns;

  constructor(scenario: Scenario) {
    const { vcpus, hostTasks, pcpus, sliceNs } = scenario;
    this.#pcpus = pcpus;
    this.#vcpus = vcpus.length;
    this.sliceNs = sliceNs;
    this.overrunNs = overrunNsOf(scenario);
    this.#competitors = [...vcpus, ...hostTasks].map(({ nice, pcpus: allowed, workload }) => ({
      weight: weightOfNice(nice),
      pcpus: allowed === null ? null : new Set(allowed),
      constant: workload.kind !== "duty" && workload.kind !== "idle",
    }));
  }

  weightOf(vcpu: number): number {
    return this.#competitors[vcpu].weight;
  }

  mayRun(competitor: number, pcpu: number): boolean {
    const { pcpus } = this.#competitors[competitor];
    return pcpus === null ? pcpu < this.#pcpus : pcpus.has(pcpu);
  }

  /** Numbers of the host's tasks, as competitors: behind the vCPUs. */
  get hostTasks(): readonly number[] {
    return this.#competitors.flatMap((_, id) => (id < this.#vcpus ? [] : [id]));
  }

  /** The only pCPU that it may run on, or -1. */
  homeOf(competitor: number): number {
    const { pcpus } = this.#competitors[competitor];
    if (pcpus === null) return this.#pcpus === 1 ? 0 : -1;
    const [only] = pcpus;
    return pcpus.size === 1 ? only : -1;
  }

  /** The other competitors in a vCPU's run queue when nobody ever joins it from or leaves it to another one; else null. */
  closedQueueOf(vcpu: number): readonly number[] | null {
    const home = this.homeOf(vcpu);
    if (home < 0) return null;
    const others = this.#competitors.flatMap((_, id) => (id !== vcpu && this.mayRun(id, home) ? [id] : []));
    return others.every((id) => this.homeOf(id) === home) ? others : null;
  }

  /** By what it does, it wants its pCPU at all times. */
  isConstant(competitor: number): boolean {
    return this.#competitors[competitor].constant;
  }

  /**
   * How far a vCPU may get ahead of another one of its run queue in an interval throughout which that other one is runnable, as
   * service * weight of the other - service of the other * weight.
   *
   * Start-time fair queueing in requests of one slice: a vCPU is served while its request's start is no later than any other's,
   * so it is ahead of another by at most its own request, and whoever was behind at the interval's beginning was so by at
   * most the other's: slice / w_a + slice / w_b in all. A vCPU that was late in giving its pCPU back is ahead by that
   * as well. Who has slept comes back half a slice behind the queue's virtual time at most, and never behind where it was.
   *
   * @param constant neither has slept since the run began
   */
  fairnessBound(a: number, b: number, constant: boolean): number {
    const [weightA, weightB] = [this.weightOf(a), this.weightOf(b)];
    const requestNs = this.sliceNs + this.overrunNs + (constant ? 0 : Math.ceil(this.sliceNs / 2));
    return requestNs * (weightA + weightB) + Math.ceil((ROUNDINGS * weightA * weightB) / NICE_0_WEIGHT);
  }

  /**
   * How long a vCPU may wait in a closed run queue. While it waits it stands still, and each competitor is served at most from one
   * request's length behind it (in virtual time) to one ahead: slice x weight / own weight, and a slice. The sum is
   * slice x (sum of weights / own weight) + a slice for each competitor, less its own slice.
   *
   * @param constant nobody in the queue has slept since the run began
   */
  waitBoundNs(vcpu: number, others: readonly number[], constant: boolean): Ns {
    const own = BigInt(this.weightOf(vcpu));
    const requestNs = BigInt(this.sliceNs + this.overrunNs);
    const creditNs = constant ? 0n : BigInt(Math.ceil(this.sliceNs / 2));
    let scaled = 0n;
    for (const other of others) {
      const weight = BigInt(this.weightOf(other));
      const roundingNs = (BigInt(ROUNDINGS) * weight) / BigInt(NICE_0_WEIGHT) + 1n;
      scaled += requestNs * (own + weight) + (creditNs + roundingNs) * own;
    }
    return Number(scaled / own);
  }
}
