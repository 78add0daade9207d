import { remainderOf } from "../shared/division.js";
import type { Ns } from "../shared/units.js";
import type { PeerGroup } from "./affinity-group.js";
import type { HostTask } from "./host-task.js";
import { NICE_0_WEIGHT, weightOfNice } from "./weights.js";

/** Entities that are pinned by one and the same list share a set: there may be 100,000 of them. */
const setOfList = new WeakMap<readonly number[], ReadonlySet<number>>();

/** What changes of an entity stands side by side, in one line of the cache. */
const CELLS = 8;
const VRUNTIME = 0;
const SERVED = 1;
const PCPU = 2;
const HEAP_INDEX = 3;
const ARRIVAL = 4;
const MOVED_IN_ROUND = 5;
const REMAINDER = 6;

/** The cells of so many entities. */
export function entityCells(count: number): Float64Array {
  return new Float64Array(count * CELLS);
}

/** Entities of one weight and slice share what follows from them. */
export class RequestSize {
  readonly weight: number;
  readonly sliceNs: Ns;
  /** One request of the slice in virtual time: whole ns and what is left over, in 1/weight ns. */
  readonly vruntime: number;
  readonly remainder: number;

  constructor(nice: number, sliceNs: Ns) {
    this.weight = weightOfNice(nice);
    this.sliceNs = sliceNs;
    const scaled = sliceNs * NICE_0_WEIGHT;
    this.remainder = scaled % this.weight;
    this.vruntime = (scaled - this.remainder) / this.weight;
  }
}

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
  readonly #cells: Float64Array;
  readonly #base: number;
  readonly #request: RequestSize;
  /** null for a vCPU. */
  readonly task: HostTask | null;
  /** Those like it to placing and balancing, itself included; null while it may run on one pCPU only. */
  peers: PeerGroup | null = null;
  /** pCPUs it may run on; null is all. */
  readonly allowed: ReadonlySet<number> | null;

  /** @param cells of all entities, this one's at its number; by default of itself alone */
  constructor(
    id: number,
    request: RequestSize,
    pcpus: readonly number[] | null,
    task: HostTask | null,
    cells: Float64Array | null = null,
  ) {
    this.id = id;
    this.#cells = cells ?? entityCells(1);
    this.#base = cells === null ? 0 : id * CELLS;
    this.#request = request;
    this.task = task;
    this.allowed = pcpus === null ? null : setOf(pcpus);
    this.pcpu = -1;
    this.heapIndex = -1;
  }

  get weight(): number {
    return this.#request.weight;
  }

  /** In ns of a nice-0 task: start of the current request. */
  get vruntime(): number {
    return this.#cells[this.#base + VRUNTIME];
  }
  set vruntime(vruntime: number) {
    this.#cells[this.#base + VRUNTIME] = vruntime;
  }

  /** What of the current request has been served, in ns of real time. */
  get servedNs(): Ns {
    return this.#cells[this.#base + SERVED];
  }

  /** Where it is queued, runs, or last ran; -1 before it was placed. */
  get pcpu(): number {
    return this.#cells[this.#base + PCPU];
  }
  set pcpu(pcpu: number) {
    this.#cells[this.#base + PCPU] = pcpu;
  }

  /** Position in its run queue's heap, -1 while not queued. */
  get heapIndex(): number {
    return this.#cells[this.#base + HEAP_INDEX];
  }
  set heapIndex(position: number) {
    this.#cells[this.#base + HEAP_INDEX] = position;
  }

  /** Order of arrival, to break ties first in, first out. */
  get arrival(): number {
    return this.#cells[this.#base + ARRIVAL];
  }
  set arrival(arrival: number) {
    this.#cells[this.#base + ARRIVAL] = arrival;
  }

  /** When the balancer last moved it, in balancer rounds. */
  get movedInRound(): number {
    return this.#cells[this.#base + MOVED_IN_ROUND];
  }
  set movedInRound(round: number) {
    this.#cells[this.#base + MOVED_IN_ROUND] = round;
  }

  mayRunOn(pcpu: number): boolean {
    return this.allowed === null || this.allowed.has(pcpu);
  }

  /** Accounts service. @returns whether a request was completed, and so a new one began */
  charge(ns: Ns): boolean {
    const cells = this.#cells;
    const base = this.#base;
    const { sliceNs } = this.#request;
    const servedNs = cells[base + SERVED] + ns;
    cells[base + SERVED] = servedNs;
    if (servedNs < sliceNs) return false;
    const requests = Math.floor(servedNs / sliceNs);
    cells[base + SERVED] = servedNs - requests * sliceNs;
    this.#completed(requests);
    return true;
  }

  /** How long it may run on in its current request. */
  get sliceLeftNs(): Ns {
    return this.#request.sliceNs - this.#cells[this.#base + SERVED];
  }

  /** A span of real time in this entity's virtual time, rounded down. */
  virtualNs(ns: Ns): number {
    return Math.floor((ns * NICE_0_WEIGHT) / this.#request.weight);
  }

  /** Begins a fresh request at a later virtual time: it slept so long that its old place is not worth keeping. */
  restartAt(vruntime: number): void {
    const cells = this.#cells;
    const base = this.#base;
    cells[base + VRUNTIME] = vruntime;
    cells[base + SERVED] = 0;
    cells[base + REMAINDER] = 0;
  }

  #completed(requests: number): void {
    const cells = this.#cells;
    const base = this.#base;
    const { weight, vruntime, remainder } = this.#request;
    const carried = cells[base + REMAINDER] + requests * remainder;
    const leftOver = remainderOf(carried, weight);
    cells[base + REMAINDER] = leftOver;
    cells[base + VRUNTIME] += requests * vruntime + (carried - leftOver) / weight;
  }
}

function setOf(pcpus: readonly number[]): ReadonlySet<number> {
  const known = setOfList.get(pcpus);
  if (known !== undefined) return known;
  const set = new Set(pcpus);
  setOfList.set(pcpus, set);
  return set;
}
