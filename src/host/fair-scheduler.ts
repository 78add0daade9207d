import type { DeadlineHeap } from "../shared/deadline-heap.js";
import type { Ns } from "../shared/units.js";
import { Pcpu } from "./pcpu.js";
import type { SchedEntity } from "./sched-entity.js";

/** What the scheduler asks of its host. */
export interface SchedDecisions {
  /** The entity got a pCPU. */
  schedIn(entity: SchedEntity, pcpu: number, now: Ns): void;
  /** The vCPU must give its pCPU back; the host answers with yielded or blocked. Host tasks need no asking. */
  kick(entity: SchedEntity): void;
  /** A host task used up its burst and sleeps. */
  taskBlocked(entity: SchedEntity, now: Ns): void;
}

/** Periodic balancing runs every so many slices: odd, so that it meets each of two alternating entities in turn. */
export const BALANCE_SLICES = 5;
const MAX_MOVES_PER_ROUND = 64;

/**
 * Weighted fair scheduling of vCPUs and host tasks over emulated pCPUs, one run queue each. Told the time, decides who
 * runs; a state machine of its own, with no idea of pages or ledgers. docs/scheduler.md says which rule of CFS or
 * EEVDF each one follows.
 */
export class FairScheduler {
  readonly #pcpus: readonly Pcpu[];
  readonly #entities: readonly SchedEntity[];
  /** Slot p holds pCPU p's deadline: the end of the running request or of a host task's burst. */
  readonly #deadlines: DeadlineHeap;
  readonly #decisions: SchedDecisions;
  readonly #sliceNs: Ns;
  #arrivals = 0;
  #round = 0;
  #idlePcpus: number;
  #stopping = false;

  constructor(
    pcpuCount: number,
    sliceNs: Ns,
    entities: readonly SchedEntity[],
    deadlines: DeadlineHeap,
    decisions: SchedDecisions,
  ) {
    this.#pcpus = Array.from({ length: pcpuCount }, (_, id) => new Pcpu(id));
    this.#entities = entities;
    this.#deadlines = deadlines;
    this.#decisions = decisions;
    this.#sliceNs = sliceNs;
    this.#idlePcpus = pcpuCount;
  }

  /** The entity that holds a pCPU, or null. */
  runningOn(pcpu: number): SchedEntity | null {
    return this.#pcpus[pcpu].current;
  }

  /** Nothing is granted from now on; vCPUs that run are kicked. */
  stop(now: Ns): void {
    this.#stopping = true;
    for (const pcpu of this.#pcpus) {
      const current = pcpu.current;
      if (current === null) continue;
      if (current.task === null) this.#reschedule(pcpu, now);
      else this.#release(pcpu, now);
    }
  }

  /** An entity became runnable: place it, and let it preempt if it is far enough behind. */
  wake(entity: SchedEntity, now: Ns): void {
    const pcpu = this.#selectPcpu(entity);
    this.#moveHome(entity, pcpu);
    this.#placeWoken(entity, pcpu);
    this.#enqueue(entity, pcpu, true);
    if (pcpu.current === null) this.#dispatch(pcpu, now);
    else this.#checkPreempt(pcpu, entity, now);
  }

  /** A kicked vCPU gave its pCPU back and wants it again. */
  yielded(entity: SchedEntity, now: Ns): void {
    const pcpu = this.#pcpus[entity.pcpu];
    const fresh = this.#release(pcpu, now);
    this.#enqueue(entity, pcpu, fresh);
    this.#dispatch(pcpu, now);
    this.#pushToIdle(entity, now);
  }

  /** An entity gave its pCPU back and does not want it: it halted, sleeps or went offline. */
  blocked(entity: SchedEntity, now: Ns): void {
    const pcpu = this.#pcpus[entity.pcpu];
    this.#release(pcpu, now);
    this.#dispatch(pcpu, now);
  }

  /** A pCPU's deadline is due. */
  deadlineDue(id: number, now: Ns): void {
    const pcpu = this.#pcpus[id];
    const current = pcpu.current;
    if (current === null) {
      this.#deadlines.clear(id);
      return;
    }
    const fresh = this.#charge(pcpu, current, now);
    if (current.task?.halted) {
      this.#blockTask(current, now);
      return;
    }
    const first = pcpu.queue.first;
    if (fresh) current.arrival = ++this.#arrivals;
    // A tie goes to who waited: it arrived earlier.
    if (first !== null && first.vruntime <= current.vruntime) this.#reschedule(pcpu, now);
    else this.#setDeadline(pcpu, current, now);
  }

  /** Periodic balancing: moves queued entities from the most to the least loaded queues. */
  balance(now: Ns): void {
    this.#round++;
    for (let moves = 0; moves < MAX_MOVES_PER_ROUND; moves++) {
      const least = this.#leastLoaded();
      const entity = this.#movableTo(least);
      if (entity === null) return;
      // As uneven as before, the other way round: enough to take turns, and no more in this round.
      const swapped = this.#pcpus[entity.pcpu].load - least.load === entity.weight;
      this.#migrate(entity, least, now);
      if (swapped) return;
    }
  }

  /** Virtual time must not outgrow a double; sleepers are lowered with the queue that they will come back to. */
  #renormalise(pcpu: Pcpu): void {
    const excess = pcpu.queue.excessVruntime;
    if (excess === 0) return;
    pcpu.queue.minVruntime -= excess;
    for (const entity of this.#entities) if (entity.pcpu === pcpu.id) entity.vruntime -= excess;
  }

  /** select_task_rq_fair: where it ran last if that is idle, else any idle one, else where it ran last. */
  #selectPcpu(entity: SchedEntity): Pcpu {
    const last = entity.pcpu < 0 ? null : this.#pcpus[entity.pcpu];
    if (last?.idle) return last;
    return this.#idlePcpuFor(entity) ?? last ?? this.#leastLoadedFor(entity);
  }

  #idlePcpuFor(entity: SchedEntity): Pcpu | null {
    if (this.#idlePcpus === 0) return null;
    for (const pcpu of this.#pcpus) if (pcpu.idle && entity.mayRunOn(pcpu.id)) return pcpu;
    return null;
  }

  #leastLoadedFor(entity: SchedEntity): Pcpu {
    let least: Pcpu | null = null;
    for (const pcpu of this.#pcpus) {
      if (entity.mayRunOn(pcpu.id) && (least === null || pcpu.load < least.load)) least = pcpu;
    }
    if (least === null) throw new RangeError(`entity ${entity.id} is pinned to no pCPU that there is`);
    return least;
  }

  /** Takes its distance from the old queue's virtual time along to the new one: migrate_task_rq_fair. */
  #moveHome(entity: SchedEntity, pcpu: Pcpu): void {
    if (entity.pcpu >= 0 && entity.pcpu !== pcpu.id) {
      entity.vruntime += pcpu.queue.minVruntime - this.#pcpus[entity.pcpu].queue.minVruntime;
    }
    entity.pcpu = pcpu.id;
  }

  /** place_entity: a sleeper is not credited with all it did not use, but with half a slice. */
  #placeWoken(entity: SchedEntity, pcpu: Pcpu): void {
    const floor = pcpu.queue.minVruntime - entity.virtualNs(this.#sliceNs / 2);
    if (entity.vruntime < floor) entity.restartAt(floor);
  }

  #enqueue(entity: SchedEntity, pcpu: Pcpu, fresh: boolean): void {
    if (fresh) entity.arrival = ++this.#arrivals;
    pcpu.queue.add(entity);
  }

  /** wakeup_preempt_entity: only who is behind by more than a quarter slice may preempt at once. */
  #checkPreempt(pcpu: Pcpu, woken: SchedEntity, now: Ns): void {
    const current = pcpu.current;
    if (current === null || pcpu.kicked) return;
    this.#charge(pcpu, current, now);
    if (current.vruntime - woken.vruntime > woken.virtualNs(this.#sliceNs / 4)) this.#reschedule(pcpu, now);
    else this.#setDeadline(pcpu, current, now);
  }

  #reschedule(pcpu: Pcpu, now: Ns): void {
    const current = pcpu.current;
    if (current === null || pcpu.kicked) return;
    if (current.task !== null) {
      if (current.task.halted) this.#blockTask(current, now);
      else this.yielded(current, now);
      return;
    }
    pcpu.kicked = true;
    this.#deadlines.clear(pcpu.id);
    this.#decisions.kick(current);
  }

  #blockTask(entity: SchedEntity, now: Ns): void {
    this.#decisions.taskBlocked(entity, now);
    this.blocked(entity, now);
  }

  /** The current entity is off its pCPU. @returns whether it has completed a request since it was queued last */
  #release(pcpu: Pcpu, now: Ns): boolean {
    const current = pcpu.current;
    if (current === null) return false;
    const fresh = this.#charge(pcpu, current, now);
    pcpu.current = null;
    pcpu.kicked = false;
    this.#idlePcpus++;
    this.#deadlines.clear(pcpu.id);
    return fresh;
  }

  #dispatch(pcpu: Pcpu, now: Ns): void {
    if (this.#stopping || pcpu.current !== null) return;
    const entity = pcpu.queue.takeFirst() ?? this.#pull(pcpu);
    if (entity === null) return;
    this.#renormalise(pcpu);
    pcpu.current = entity;
    pcpu.chargedAt = now;
    this.#idlePcpus--;
    this.#setDeadline(pcpu, entity, now);
    this.#decisions.schedIn(entity, pcpu.id, now);
  }

  #charge(pcpu: Pcpu, current: SchedEntity, now: Ns): boolean {
    const ranNs = now - pcpu.chargedAt;
    pcpu.chargedAt = now;
    if (current.task !== null) current.task.ran(ranNs, now);
    return current.charge(ranNs);
  }

  #setDeadline(pcpu: Pcpu, current: SchedEntity, now: Ns): void {
    const burstNs =
      current.task === null ? current.sliceLeftNs : Math.min(current.sliceLeftNs, current.task.remainingNs);
    this.#deadlines.set(pcpu.id, now + burstNs);
  }

  /** newidle_balance: a pCPU that would idle takes what has waited longest on the most loaded queue. */
  #pull(idle: Pcpu): SchedEntity | null {
    let source: Pcpu | null = null;
    let chosen: SchedEntity | null = null;
    for (const pcpu of this.#pcpus) {
      if (pcpu.queue.size === 0 || (source !== null && pcpu.load <= source.load)) continue;
      const entity = firstAllowed(pcpu, idle.id);
      if (entity === null) continue;
      source = pcpu;
      chosen = entity;
    }
    if (source === null || chosen === null) return null;
    source.queue.remove(chosen);
    this.#moveHome(chosen, idle);
    if (chosen.vruntime > idle.queue.minVruntime) idle.queue.minVruntime = chosen.vruntime;
    return chosen;
  }

  /** No pCPU idles while somebody who may run there is queued. */
  #pushToIdle(entity: SchedEntity, now: Ns): void {
    if (entity.heapIndex < 0) return;
    const idle = this.#idlePcpuFor(entity);
    if (idle !== null) this.#migrate(entity, idle, now);
  }

  #migrate(entity: SchedEntity, target: Pcpu, now: Ns): void {
    this.#pcpus[entity.pcpu].queue.remove(entity);
    this.#moveHome(entity, target);
    entity.movedInRound = this.#round;
    target.queue.add(entity);
    if (target.current === null) this.#dispatch(target, now);
  }

  #leastLoaded(): Pcpu {
    let least = this.#pcpus[0];
    for (const pcpu of this.#pcpus) if (pcpu.load < least.load) least = pcpu;
    return least;
  }

  /** From the most loaded queue that has one: an entity whose move does not make it more uneven. */
  #movableTo(target: Pcpu): SchedEntity | null {
    let load = target.load;
    let chosen: SchedEntity | null = null;
    for (const source of this.#pcpus) {
      if (source.load <= load) continue;
      const entity = leastRecentlyMoved(source, target, this.#round);
      if (entity === null) continue;
      load = source.load;
      chosen = entity;
    }
    return chosen;
  }
}

function leastRecentlyMoved(source: Pcpu, target: Pcpu, round: number): SchedEntity | null {
  const difference = source.load - target.load;
  let chosen: SchedEntity | null = null;
  for (const entity of source.queue.entities) {
    if (entity.weight > difference || entity.movedInRound === round || !entity.mayRunOn(target.id)) continue;
    if (chosen === null || entity.movedInRound < chosen.movedInRound) chosen = entity;
  }
  return chosen;
}

function firstAllowed(source: Pcpu, target: number): SchedEntity | null {
  let chosen: SchedEntity | null = null;
  for (const entity of source.queue.entities) {
    if (entity.mayRunOn(target) && (chosen === null || entity.vruntime < chosen.vruntime)) chosen = entity;
  }
  return chosen;
}
