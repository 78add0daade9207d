import type { AffinityGroup, PeerGroup } from "./affinity-group.js";
import { groupByAffinity } from "./affinity-groups.js";
import { ChangeList } from "./change-list.js";
import type { Pcpu } from "./pcpu.js";
import { leastRecentlyMoved } from "./pcpu-choice.js";
import type { SchedEntity } from "./sched-entity.js";

/**
 * Answers the questions of pcpu-choice.ts, and the same, at the cost of the logarithm of the number of pCPUs. It must be told
 * of everything that changes a load.
 *
 * A load often changes and is soon what it was. So a change is only put on a list, and is looked at before the next question.
 */
export class PcpuIndex {
  readonly #pcpus: readonly Pcpu[];
  /** Of these the affinity groups have not heard yet, and of those the peer groups. */
  readonly #newLoads: ChangeList;
  readonly #newQueues: ChangeList;
  /** Queued entities that may run on another pCPU as well. */
  #movable = 0;

  /** @param pcpus all idle; each is given its groups @param entities all there will be; each is given its peers */
  constructor(pcpus: readonly Pcpu[], entities: readonly SchedEntity[]) {
    this.#pcpus = pcpus;
    this.#newLoads = new ChangeList(pcpus.length);
    this.#newQueues = new ChangeList(pcpus.length);
    joinGroups(pcpus, groupByAffinity(entities, pcpus.length));
  }

  queued(entity: SchedEntity, pcpu: Pcpu): void {
    if (entity.peers !== null) {
      entity.peers.queuedOn(pcpu.id);
      this.#movable++;
    }
    this.loadChanged(pcpu);
  }

  leftQueue(entity: SchedEntity, pcpu: Pcpu): void {
    if (entity.peers !== null) {
      entity.peers.leftQueueOf(pcpu.id);
      this.#movable--;
    }
    this.loadChanged(pcpu);
  }

  loadChanged(pcpu: Pcpu): void {
    this.#newLoads.note(pcpu.id);
    this.#newQueues.note(pcpu.id);
  }

  idleFor(entity: SchedEntity): Pcpu | null {
    if (entity.peers === null) {
      const only = this.#onlyPcpuOf(entity);
      return only.idle ? only : null;
    }
    this.#bringLoadsUpToDate();
    const { affinity } = entity.peers;
    return affinity.leastLoad === 0 ? this.#pcpus[affinity.leastLoadedPcpu] : null;
  }

  leastLoadedFor(entity: SchedEntity): Pcpu {
    if (entity.peers === null) return this.#onlyPcpuOf(entity);
    this.#bringLoadsUpToDate();
    return this.#pcpus[entity.peers.affinity.leastLoadedPcpu];
  }

  pullableTo(idle: Pcpu): SchedEntity | null {
    if (this.#movable === 0) return null;
    this.#bringQueuesUpToDate();
    const { peerGroups } = idle;
    let chosen: Pcpu | null = null;
    for (let i = 0; i < peerGroups.length; i++) {
      if (peerGroups[i].greatestLoad === 0) continue;
      const source = this.#pcpus[peerGroups[i].mostLoadedPcpu];
      if (chosen === null || isMoreLoaded(source, chosen)) chosen = source;
    }
    return chosen === null ? null : chosen.queue.firstFor(idle.id);
  }

  movableTo(target: Pcpu, round: number): SchedEntity | null {
    if (this.#movable === 0) return null;
    this.#bringQueuesUpToDate();
    let chosen: SchedEntity | null = null;
    for (const peers of target.peerGroups) {
      const entity = this.#movableOf(peers, target, round);
      if (entity === null) continue;
      if (chosen === null || isMoreLoaded(this.#pcpus[entity.pcpu], this.#pcpus[chosen.pcpu])) chosen = entity;
    }
    return chosen;
  }

  /** What to take from the most loaded pCPU that has one of these peers queued and can do without it. Or null. */
  #movableOf(peers: PeerGroup, target: Pcpu, round: number): SchedEntity | null {
    while (peers.greatestLoad - target.load >= peers.weight) {
      const source = this.#pcpus[peers.mostLoadedPcpu];
      const entity = leastRecentlyMoved(source, target, round);
      if (entity !== null) return entity;
      // All came in this very round. That is so on few pCPUs, and each is passed over once.
      peers.passOver(source.id);
      this.loadChanged(source);
    }
    return null;
  }

  #onlyPcpuOf(entity: SchedEntity): Pcpu {
    for (const pcpu of entity.allowed ?? [0]) if (pcpu < this.#pcpus.length) return this.#pcpus[pcpu];
    throw new RangeError(`entity ${entity.id} is pinned to no pCPU that there is`);
  }

  #bringLoadsUpToDate(): void {
    for (let id = this.#newLoads.take(); id >= 0; id = this.#newLoads.take()) {
      const { groups, load } = this.#pcpus[id];
      for (let i = 0; i < groups.length; i++) groups[i].update(id, load);
    }
  }

  #bringQueuesUpToDate(): void {
    for (let id = this.#newQueues.take(); id >= 0; id = this.#newQueues.take()) {
      const { peerGroups, load } = this.#pcpus[id];
      for (let i = 0; i < peerGroups.length; i++) peerGroups[i].update(id, load);
    }
  }
}

/** Neighbours mostly belong to the same groups: then they share one list of them. */
function joinGroups(pcpus: readonly Pcpu[], groups: readonly AffinityGroup[]): void {
  const groupsOf = pcpus.map((): AffinityGroup[] => []);
  for (const group of groups) for (let slot = 0; slot < group.size; slot++) groupsOf[group.pcpuAt(slot)].push(group);
  for (const [id, pcpu] of pcpus.entries()) {
    const neighbour = pcpus[Math.max(0, id - 1)];
    if (isSame(groupsOf[id], neighbour.groups)) {
      pcpu.groups = neighbour.groups;
      pcpu.peerGroups = neighbour.peerGroups;
    } else {
      pcpu.groups = groupsOf[id].slice();
      pcpu.peerGroups = groupsOf[id].flatMap(({ peerGroups }) => peerGroups);
    }
  }
}

function isSame(a: readonly AffinityGroup[], b: readonly AffinityGroup[]): boolean {
  return a.length === b.length && a.every((group, index) => group === b[index]);
}

/** The lower number among equals. */
function isMoreLoaded(a: Pcpu, b: Pcpu): boolean {
  return a.load > b.load || (a.load === b.load && a.id < b.id);
}
