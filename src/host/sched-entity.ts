import type { Ns } from "../shared/units.js";
import type { PeerGroup } from "./affinity-group.js";
import type { HostTask } from "./host-task.js";
import { NICE_0_WEIGHT, weightOfNice } from "./weights.js";

/** Entities that are pinned by one and the same list share a set: there may be 100,000 of them. */
const setOfList = new WeakMap<readonly number[], ReadonlySet<number>>();

/**
 * What a run queue schedules, a vCPU or a task of the host: `sched_entity` (include/linux/sched.h).
 *
 * Service is counted in requests of one slice. vruntime is the virtual time at which the current request started; what
 * has been served of it is kept apart, in ns. So vruntime moves on an exact grid, and a slice that ended late makes the
 * next one shorter instead of shifting the grid.
 */
export class SchedEntity {
  /** vCPU number, or the vCPU count plus the host task's number. */
  readonly id: number;
  readonly weight: number;
  /** pCPUs it may run on; null is all. */
  readonly allowed: ReadonlySet<number> | null;
  /** null for a vCPU. */
  readonly task: HostTask | null;
  /** Those like it to placing and balancing, itself included; null while it may run on one pCPU only. */
  peers: PeerGroup | null = null;

  /** In ns of a nice-0 task: start of the current request. */
  vruntime = 0;
  /** What of the current request has been served, in ns of real time. */
  servedNs: Ns = 0;
  /** Where it is queued, runs, or last ran; -1 before it was placed. */
  pcpu = -1;
  /** Position in its run queue's heap, -1 while not queued. */
  heapIndex = -1;
  /** Order of arrival, to break ties first in, first out. */
  arrival = 0;
  /** When the balancer last moved it, in balancer rounds. */
  movedInRound = 0;

  /** One request of the slice in virtual time: whole ns and what is left over, in 1/weight ns. */
  readonly #requestVruntime: number;
  readonly #requestRemainder: number;
  #remainder = 0;
  readonly #sliceNs: Ns;

  constructor(id: number, nice: number, pcpus: readonly number[] | null, sliceNs: Ns, task: HostTask | null) {
    this.id = id;
    this.weight = weightOfNice(nice);
    this.allowed = pcpus === null ? null : setOf(pcpus);
    this.task = task;
    this.#sliceNs = sliceNs;
    const scaled = sliceNs * NICE_0_WEIGHT;
    this.#requestRemainder = scaled % this.weight;
    this.#requestVruntime = (scaled - this.#requestRemainder) / this.weight;
  }

  mayRunOn(pcpu: number): boolean {
    return this.allowed === null || this.allowed.has(pcpu);
  }

  /** Accounts service. @returns whether a request was completed, and so a new one began */
  charge(ns: Ns): boolean {
    this.servedNs += ns;
    if (this.servedNs < this.#sliceNs) return false;
    const requests = Math.floor(this.servedNs / this.#sliceNs);
    this.servedNs -= requests * this.#sliceNs;
    const remainder = this.#remainder + requests * this.#requestRemainder;
    this.#remainder = remainder % this.weight;
    this.vruntime += requests * this.#requestVruntime + (remainder - this.#remainder) / this.weight;
    return true;
  }

  /** How long it may run on in its current request. */
  get sliceLeftNs(): Ns {
    return this.#sliceNs - this.servedNs;
  }

  /** A span of real time in this entity's virtual time, rounded down. */
  virtualNs(ns: Ns): number {
    return Math.floor((ns * NICE_0_WEIGHT) / this.weight);
  }

  /** Begins a fresh request at a later virtual time: it slept so long that its old place is not worth keeping. */
  restartAt(vruntime: number): void {
    this.vruntime = vruntime;
    this.servedNs = 0;
    this.#remainder = 0;
  }
}

function setOf(pcpus: readonly number[]): ReadonlySet<number> {
  const known = setOfList.get(pcpus);
  if (known !== undefined) return known;
  const set = new Set(pcpus);
  setOfList.set(pcpus, set);
  return set;
}
