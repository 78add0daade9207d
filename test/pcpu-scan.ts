import type { Pcpu } from "../src/host/pcpu.js";
import type { RunQueue } from "../src/host/run-queue.js";
import type { SchedEntity } from "../src/host/sched-entity.js";

/** What placing and balancing choose, in the plainest words: every pCPU and everyone queued is looked at. */

export function idleFor(pcpus: readonly Pcpu[], entity: SchedEntity): Pcpu | null {
  for (const pcpu of pcpus) if (pcpu.idle && entity.mayRunOn(pcpu.id)) return pcpu;
  return null;
}

export function leastLoadedFor(pcpus: readonly Pcpu[], entity: SchedEntity): Pcpu | null {
  let least: Pcpu | null = null;
  for (const pcpu of pcpus) {
    if (entity.mayRunOn(pcpu.id) && (least === null || pcpu.load < least.load)) least = pcpu;
  }
  return least;
}

export function pullableTo(pcpus: readonly Pcpu[], idle: Pcpu): SchedEntity | null {
  let load = 0;
  let chosen: SchedEntity | null = null;
  for (const source of pcpus) {
    if (source.queue.size === 0 || source.load <= load) continue;
    const entity = furthestBehind(source, idle);
    if (entity === null) continue;
    load = source.load;
    chosen = entity;
  }
  return chosen;
}

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

function leastRecentlyMoved(source: Pcpu, target: Pcpu, round: number): SchedEntity | null {
  const difference = source.load - target.load;
  let chosen: SchedEntity | null = null;
  for (const entity of queuedIn(source.queue)) {
    if (entity.weight > difference || entity.movedInRound === round || !entity.mayRunOn(target.id)) continue;
    if (chosen === null || entity.movedInRound < chosen.movedInRound) chosen = entity;
  }
  return chosen;
}

function furthestBehind(source: Pcpu, target: Pcpu): SchedEntity | null {
  let chosen: SchedEntity | null = null;
  for (const entity of queuedIn(source.queue)) {
    if (entity.mayRunOn(target.id) && (chosen === null || entity.vruntime < chosen.vruntime)) chosen = entity;
  }
  return chosen;
}

/** In the order of the heap, which decides among equals. */
function queuedIn(queue: RunQueue): SchedEntity[] {
  return Array.from({ length: queue.size }, (_, position) => queue.at(position));
}
