import type { Pcpu } from "./pcpu.js";
import type { SchedEntity } from "./sched-entity.js";

/**
 * The questions that placing and balancing ask of all pCPUs, answered by looking at each. None changes anything. Of many pCPUs
 * a PcpuIndex answers them in less time, and the same.
 */

/** The first idle pCPU that the entity may use, or null. */
export function idleFor(pcpus: readonly Pcpu[], entity: SchedEntity): Pcpu | null {
  for (const pcpu of pcpus) if (pcpu.idle && entity.mayRunOn(pcpu.id)) return pcpu;
  return null;
}

/** @throws RangeError when the entity may run nowhere: the scenario should have been refused */
export function leastLoadedFor(pcpus: readonly Pcpu[], entity: SchedEntity): Pcpu {
  let least: Pcpu | null = null;
  for (const pcpu of pcpus) {
    if (entity.mayRunOn(pcpu.id) && (least === null || pcpu.load < least.load)) least = pcpu;
  }
  if (least === null) throw new RangeError(`entity ${entity.id} is pinned to no pCPU that there is`);
  return least;
}

/** What an idle pCPU, where nobody is queued, should take: of the most loaded queue that has one, the entity furthest behind. Or null. */
export function pullableTo(pcpus: readonly Pcpu[], idle: Pcpu): SchedEntity | null {
  let load = 0;
  let chosen: SchedEntity | null = null;
  for (const source of pcpus) {
    if (source.queue.size === 0 || source.load <= load) continue;
    const entity = source.queue.firstFor(idle.id);
    if (entity === null) continue;
    load = source.load;
    chosen = entity;
  }
  return chosen;
}

/**
 * What a pCPU should take to make the load more even, or no more uneven the other way round: of the most loaded queue that
 * has such an entity, the one not moved for longest, and none that was moved in this round. Or null.
 */
export function movableTo(pcpus: readonly Pcpu[], target: Pcpu, round: number): SchedEntity | null {
  let load = target.load;
  let chosen: SchedEntity | null = null;
  for (const source of pcpus) {
    if (source.load <= load || source.queue.size === 0) continue;
    const entity = leastRecentlyMoved(source, target, round);
    if (entity === null) continue;
    load = source.load;
    chosen = entity;
  }
  return chosen;
}

/** Of one pCPU's queue. Or null. */
export function leastRecentlyMoved(source: Pcpu, target: Pcpu, round: number): SchedEntity | null {
  const difference = source.load - target.load;
  let chosen: SchedEntity | null = null;
  for (let position = 0; position < source.queue.size; position++) {
    const entity = source.queue.at(position);
    if (entity.weight > difference || entity.movedInRound === round || !entity.mayRunOn(target.id)) continue;
    if (chosen === null || entity.movedInRound < chosen.movedInRound) chosen = entity;
    // Never yet: nobody was moved longer ago.
    if (chosen.movedInRound === 0) return chosen;
  }
  return chosen;
}
