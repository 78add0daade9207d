import { TournamentTree } from "./tournament-tree.js";

/**
 * One distinct set of pCPUs, and what is known of their loads: which is least loaded, and where somebody is queued who may
 * run on exactly these. A pCPU has a slot in each group that it belongs to.
 */
export class AffinityGroup {
  /** Those who may run on these pCPUs, by weight. */
  readonly peerGroups: PeerGroup[] = [];
  readonly #first: number;
  readonly #size: number;
  /** Slot to pCPU and back; null when the pCPUs are numbered through, as they mostly are. */
  readonly #members: Int32Array | null;
  readonly #slots: ReadonlyMap<number, number> | null;
  /** Keys are loads, negated. */
  readonly #leastLoaded: TournamentTree;

  /** @param members in ascending order, two or more */
  constructor(members: readonly number[]) {
    this.#first = members[0];
    this.#size = members.length;
    const numberedThrough = members[members.length - 1] - this.#first + 1 === this.#size;
    this.#members = numberedThrough ? null : Int32Array.from(members);
    this.#slots = numberedThrough ? null : new Map(members.map((pcpu, slot) => [pcpu, slot]));
    this.#leastLoaded = new TournamentTree(this.#size);
  }

  get size(): number {
    return this.#size;
  }

  /** 0 when one idles. */
  get leastLoad(): number {
    return -this.#leastLoaded.greatest;
  }

  /** The lowest-numbered pCPU that has the least load. */
  get leastLoadedPcpu(): number {
    return this.pcpuAt(this.#leastLoaded.winner);
  }

  slotOf(pcpu: number): number {
    return this.#slots === null ? pcpu - this.#first : (this.#slots.get(pcpu) ?? -1);
  }

  pcpuAt(slot: number): number {
    return this.#members === null ? this.#first + slot : this.#members[slot];
  }

  /** The peers of a weight; a new group of them for the first one. */
  peersOf(weight: number): PeerGroup {
    for (const peers of this.peerGroups) if (peers.weight === weight) return peers;
    const peers = new PeerGroup(this, weight);
    this.peerGroups.push(peers);
    return peers;
  }

  /** A member's load has changed. */
  update(pcpu: number, load: number): void {
    this.#leastLoaded.set(this.slotOf(pcpu), -load);
  }
}

/** Entities that may run on the same pCPUs and have the same weight: what may be done with one may be done with any. */
export class PeerGroup {
  readonly affinity: AffinityGroup;
  readonly weight: number;
  /** How many of them are queued on each pCPU. */
  readonly #queued: Uint32Array;
  /** Keys are the loads of pCPUs where one of them is queued, and 0 of others. */
  readonly #mostLoaded: TournamentTree;

  constructor(affinity: AffinityGroup, weight: number) {
    this.affinity = affinity;
    this.weight = weight;
    this.#queued = new Uint32Array(affinity.size);
    this.#mostLoaded = new TournamentTree(affinity.size);
  }

  /** The greatest load of a pCPU where one of them is queued; 0 when none is queued anywhere. */
  get greatestLoad(): number {
    return this.#mostLoaded.greatest;
  }

  /** The lowest-numbered pCPU that has it. */
  get mostLoadedPcpu(): number {
    return this.affinity.pcpuAt(this.#mostLoaded.winner);
  }

  /** One of them was queued. It counts from the next update on. */
  queuedOn(pcpu: number): void {
    this.#queued[this.affinity.slotOf(pcpu)]++;
  }

  /** One of them is no longer queued. It counts until the next update. */
  leftQueueOf(pcpu: number): void {
    this.#queued[this.affinity.slotOf(pcpu)]--;
  }

  /** A pCPU's load, or who is queued there, has changed. */
  update(pcpu: number, load: number): void {
    const slot = this.affinity.slotOf(pcpu);
    this.#mostLoaded.set(slot, this.#queued[slot] === 0 ? 0 : load);
  }

  /** Leaves a pCPU out, until its next update. */
  passOver(pcpu: number): void {
    this.#mostLoaded.set(this.affinity.slotOf(pcpu), 0);
  }
}
