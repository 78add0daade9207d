import type { SchedEntity } from "./sched-entity.js";

/** 2^50: virtual time is brought back towards 0 long before it passes 2^53. */
const RENORMALISE_ABOVE = 1_125_899_906_842_624;

/**
 * The runnable entities of one pCPU but for the running one, least vruntime first: `cfs_rq` (kernel/sched/fair.c), a
 * heap in place of its tree. Equal vruntime comes out in order of arrival.
 */
export class RunQueue {
  /** Its first #size entries; it is never made shorter, which V8 answers with work on the old space. */
  readonly #heap: SchedEntity[] = [];
  #size = 0;
  /** Weights of all that is queued here. */
  queuedWeight = 0;
  /** The queue's virtual time: the latest start of a request that was served here. */
  minVruntime = 0;

  get size(): number {
    return this.#size;
  }

  /** The next to run, or null. */
  get first(): SchedEntity | null {
    return this.#size === 0 ? null : this.#heap[0];
  }

  add(entity: SchedEntity): void {
    this.queuedWeight += entity.weight;
    this.#siftUp(entity, this.#size++);
  }

  remove(entity: SchedEntity): void {
    this.queuedWeight -= entity.weight;
    const position = entity.heapIndex;
    entity.heapIndex = -1;
    const last = this.#heap[--this.#size];
    if (last === entity) return;
    this.#siftDown(last, this.#siftUp(last, position));
  }

  /**
   * Of those that may run on a pCPU the one furthest behind, or null: the first where it may, else found by a search, which
   * goes no further than entities that are behind the one it finds.
   */
  firstFor(pcpu: number): SchedEntity | null {
    return this.#furthestBehind(pcpu, 0, null);
  }

  /** @param found the best so far @returns it, or a better one at or below a position; the lower position of equals */
  #furthestBehind(pcpu: number, position: number, found: SchedEntity | null): SchedEntity | null {
    if (position >= this.#size) return found;
    const entity = this.#heap[position];
    // Then neither is anybody below.
    if (found !== null && !isBetter(entity, found)) return found;
    if (entity.mayRunOn(pcpu)) return entity;
    const left = 2 * position + 1;
    return this.#furthestBehind(pcpu, left + 1, this.#furthestBehind(pcpu, left, found));
  }

  /** Virtual time goes on to the start of the request in service; it never goes back. */
  advanceTo(vruntime: number): void {
    if (vruntime > this.minVruntime) this.minVruntime = vruntime;
  }

  /** One of those queued, in no useful order, for the balancer. @param position 0 to size - 1 */
  at(position: number): SchedEntity {
    return this.#heap[position];
  }

  /**
   * Brings virtual time back to 0 when it has grown too large.
   *
   * @returns what all vruntimes of this queue must be lowered by, mostly 0; their order and distances stay
   */
  takeExcess(): number {
    if (this.minVruntime <= RENORMALISE_ABOVE) return 0;
    const excess = this.minVruntime;
    this.minVruntime = 0;
    return excess;
  }

  #siftUp(entity: SchedEntity, from: number): number {
    let position = from;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      const above = this.#heap[parent];
      if (!before(entity, above)) break;
      this.#place(above, position);
      position = parent;
    }
    this.#place(entity, position);
    return position;
  }

  #siftDown(entity: SchedEntity, from: number): void {
    const size = this.#size;
    let position = from;
    for (let child = 2 * position + 1; child < size; child = 2 * position + 1) {
      if (child + 1 < size && before(this.#heap[child + 1], this.#heap[child])) child++;
      const below = this.#heap[child];
      if (!before(below, entity)) break;
      this.#place(below, position);
      position = child;
    }
    this.#place(entity, position);
  }

  #place(entity: SchedEntity, position: number): void {
    this.#heap[position] = entity;
    entity.heapIndex = position;
  }
}

function before(a: SchedEntity, b: SchedEntity): boolean {
  return a.vruntime < b.vruntime || (a.vruntime === b.vruntime && a.arrival < b.arrival);
}

/** Further behind, or nearer to the front of the heap when equal. Both are in one heap. */
function isBetter(a: SchedEntity, b: SchedEntity): boolean {
  return a.vruntime < b.vruntime || (a.vruntime === b.vruntime && a.heapIndex < b.heapIndex);
}
