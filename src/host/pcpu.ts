import type { Ns } from "../shared/units.js";
import type { AffinityGroup, PeerGroup } from "./affinity-group.js";
import { RunQueue } from "./run-queue.js";
import type { SchedEntity } from "./sched-entity.js";

/** One emulated physical CPU: who runs, and who waits for it. */
export class Pcpu {
  readonly id: number;
  readonly queue = new RunQueue();
  /** The affinity groups that it belongs to. */
  groups: readonly AffinityGroup[] = [];
  /** The peers that may run here. */
  peerGroups: readonly PeerGroup[] = [];
  current: SchedEntity | null = null;
  /** The current entity is a vCPU that was asked to leave and has not left yet. */
  kicked = false;
  /** Up to when the current entity's service has been charged. */
  chargedAt: Ns = 0;

  constructor(id: number) {
    this.id = id;
  }

  get idle(): boolean {
    return this.current === null && this.queue.size === 0;
  }

  get load(): number {
    return this.queue.queuedWeight + (this.current?.weight ?? 0);
  }
}
