import { Pcpu } from "./pcpu.js";
import { idleFor, leastLoadedFor, movableTo, pullableTo } from "./pcpu-choice.js";
import { PcpuIndex } from "./pcpu-index.js";
import type { SchedEntity } from "./sched-entity.js";

/** So many are looked at one by one in less time than an index of them is kept up to date. */
const FEW_PCPUS = 32;
const FEW_ENTITIES = 256;

/**
 * All pCPUs with their queues, and the questions that placing and balancing ask of them. Everything that changes a load is
 * done here, so that no index is ever stale.
 */
export class Pcpus {
  readonly all: readonly Pcpu[];
  /** null while there are few of all. */
  readonly #index: PcpuIndex | null;
  /** pCPUs that nobody holds. With none of them, none idles. */
  #free: number;

  /** @param entities all there will be @param indexed whether to keep an index; the answers are the same */
  constructor(
    count: number,
    entities: readonly SchedEntity[],
    indexed = count > FEW_PCPUS || entities.length > FEW_ENTITIES,
  ) {
    this.all = Array.from({ length: count }, (_, id) => new Pcpu(id));
    this.#index = indexed ? new PcpuIndex(this.all, entities) : null;
    this.#free = count;
  }

  enqueue(entity: SchedEntity, pcpu: Pcpu): void {
    pcpu.queue.add(entity);
    if (this.#index !== null) this.#index.queued(entity, pcpu);
  }

  /** Takes a queued entity out of its queue. */
  dequeue(entity: SchedEntity): void {
    const pcpu = this.all[entity.pcpu];
    pcpu.queue.remove(entity);
    if (this.#index !== null) this.#index.leftQueue(entity, pcpu);
  }

  /** The pCPU, held by nobody, goes to an entity that is not queued. */
  occupy(pcpu: Pcpu, entity: SchedEntity): void {
    pcpu.current = entity;
    this.#free--;
    if (this.#index !== null) this.#index.loadChanged(pcpu);
  }

  /** Who holds the pCPU does so no longer. */
  vacate(pcpu: Pcpu): void {
    pcpu.current = null;
    pcpu.kicked = false;
    this.#free++;
    if (this.#index !== null) this.#index.loadChanged(pcpu);
  }

  /** @see idleFor */
  idleFor(entity: SchedEntity): Pcpu | null {
    if (this.#free === 0) return null;
    return this.#index === null ? idleFor(this.all, entity) : this.#index.idleFor(entity);
  }

  /** @see leastLoadedFor */
  leastLoadedFor(entity: SchedEntity): Pcpu {
    return this.#index === null ? leastLoadedFor(this.all, entity) : this.#index.leastLoadedFor(entity);
  }

  /** @see pullableTo */
  pullableTo(idle: Pcpu): SchedEntity | null {
    return this.#index === null ? pullableTo(this.all, idle) : this.#index.pullableTo(idle);
  }

  /** @see movableTo */
  movableTo(target: Pcpu, round: number): SchedEntity | null {
    return this.#index === null ? movableTo(this.all, target, round) : this.#index.movableTo(target, round);
  }
}
