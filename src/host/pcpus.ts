import type { PeerGroup } from "./affinity-group.js";
import { groupByAffinity } from "./affinity-groups.js";
import { Pcpu } from "./pcpu.js";
import type { SchedEntity } from "./sched-entity.js";

/**
 * All pCPUs with their queues, and the questions that placing and balancing ask of them. Everything that changes a load is
 * done here, so that no answer is ever stale; a question costs the logarithm of the number of pCPUs, not a look at each.
 *
 * A load often changes and is soon what it was: a change only puts the pCPU on a list, and the affinity groups hear
 * of it before the next question.
 */
export class Pcpus {
  readonly all: readonly Pcpu[];
  readonly #changed: Int32Array;
  #changedCount = 0;
  /** pCPUs that nobody holds. With none of them, none idles. */
  #free: number;
  /** Queued entities that may run on another pCPU as well. */
  #movable = 0;

  /** @param entities all there will be; each is given its peers */
  constructor(count: number, entities: readonly SchedEntity[]) {
    this.all = Array.from({ length: count }, (_, id) => new Pcpu(id));
    this.#changed = new Int32Array(count);
    this.#free = count;
    for (const group of groupByAffinity(entities, count)) {
      for (let slot = 0; slot < group.size; slot++) this.all[group.pcpuAt(slot)].groups.push(group);
    }
  }

  enqueue(entity: SchedEntity, pcpu: Pcpu): void {
    pcpu.queue.add(entity);
    if (entity.peers !== null) {
      entity.peers.queuedOn(pcpu.id);
      this.#movable++;
    }
    this.#noteChange(pcpu);
  }

  /** Takes a queued entity out of its queue. */
  dequeue(entity: SchedEntity): void {
    const pcpu = this.all[entity.pcpu];
    pcpu.queue.remove(entity);
    if (entity.peers !== null) {
      entity.peers.leftQueueOf(pcpu.id);
      this.#movable--;
    }
    this.#noteChange(pcpu);
  }

  /** The pCPU, held by nobody, goes to an entity that is not queued. */
  occupy(pcpu: Pcpu, entity: SchedEntity): void {
    pcpu.current = entity;
    this.#free--;
    this.#noteChange(pcpu);
  }

  /** Who holds the pCPU does so no longer. */
  vacate(pcpu: Pcpu): void {
    pcpu.current = null;
    pcpu.kicked = false;
    this.#free++;
    this.#noteChange(pcpu);
  }

  /** The first idle pCPU that the entity may use, or null. */
  idleFor(entity: SchedEntity): Pcpu | null {
    if (this.#free === 0) return null;
    if (entity.peers === null) {
      const only = this.#onlyPcpuOf(entity);
      return only.idle ? only : null;
    }
    this.#bringUpToDate();
    const { affinity } = entity.peers;
    return affinity.leastLoad === 0 ? this.all[affinity.leastLoadedPcpu] : null;
  }

  /** @throws RangeError when the entity may run nowhere: the scenario should have been refused */
  leastLoadedFor(entity: SchedEntity): Pcpu {
    if (entity.peers === null) return this.#onlyPcpuOf(entity);
    this.#bringUpToDate();
    return this.all[entity.peers.affinity.leastLoadedPcpu];
  }

  /** What an idle pCPU should take: of the most loaded queue that has one, the entity furthest behind. Or null. */
  pullableTo(idle: Pcpu): SchedEntity | null {
    if (this.#movable === 0) return null;
    this.#bringUpToDate();
    let chosen: Pcpu | null = null;
    for (const { peerGroups } of idle.groups) {
      for (const peers of peerGroups) {
        if (peers.greatestLoad === 0) continue;
        const source = this.all[peers.mostLoadedPcpu];
        if (chosen === null || isMoreLoaded(source, chosen)) chosen = source;
      }
    }
    return chosen === null ? null : chosen.queue.firstFor(idle.id);
  }

  /**
   * What a pCPU should take to make the load more even, or no more uneven the other way round: of the most loaded queue that
   * has such an entity, the one not moved for longest, and none that was moved in this round. Or null.
   */
  movableTo(target: Pcpu, round: number): SchedEntity | null {
    if (this.#movable === 0) return null;
    this.#bringUpToDate();
    let chosen: SchedEntity | null = null;
    for (const { peerGroups } of target.groups) {
      for (const peers of peerGroups) {
        const entity = this.#movableOf(peers, target, round);
        if (entity === null) continue;
        if (chosen === null || isMoreLoaded(this.all[entity.pcpu], this.all[chosen.pcpu])) chosen = entity;
      }
    }
    return chosen;
  }

  /** What the most loaded pCPU can do without that has one of these peers queued, and can do without it. Or null. */
  #movableOf(peers: PeerGroup, target: Pcpu, round: number): SchedEntity | null {
    while (peers.greatestLoad - target.load >= peers.weight) {
      const source = this.all[peers.mostLoadedPcpu];
      const entity = leastRecentlyMoved(source, target, round);
      if (entity !== null) return entity;
      // All came in this very round. So it is on few pCPUs, and each is passed over once.
      peers.passOver(source.id);
      this.#noteChange(source);
    }
    return null;
  }

  #onlyPcpuOf(entity: SchedEntity): Pcpu {
    if (entity.pcpu >= 0) return this.all[entity.pcpu];
    for (const pcpu of entity.allowed ?? [0]) if (pcpu < this.all.length) return this.all[pcpu];
    throw new RangeError(`entity ${entity.id} is pinned to no pCPU that there is`);
  }

  #noteChange(pcpu: Pcpu): void {
    if (pcpu.changed) return;
    pcpu.changed = true;
    this.#changed[this.#changedCount++] = pcpu.id;
  }

  #bringUpToDate(): void {
    while (this.#changedCount > 0) {
      const pcpu = this.all[this.#changed[--this.#changedCount]];
      pcpu.changed = false;
      const { load } = pcpu;
      for (const group of pcpu.groups) group.update(pcpu.id, load);
    }
  }
}

/** The lower number among equals. */
function isMoreLoaded(a: Pcpu, b: Pcpu): boolean {
  return a.load > b.load || (a.load === b.load && a.id < b.id);
}

function leastRecentlyMoved(source: Pcpu, target: Pcpu, round: number): SchedEntity | null {
  const difference = source.load - target.load;
  let chosen: SchedEntity | null = null;
  for (const entity of source.queue.entities) {
    if (entity.weight > difference || entity.movedInRound === round || !entity.mayRunOn(target.id)) continue;
    if (chosen === null || entity.movedInRound < chosen.movedInRound) chosen = entity;
    // Never yet: nobody was moved longer ago.
    if (chosen.movedInRound === 0) return chosen;
  }
  return chosen;
}
