import type { DeadlineHeap } from "../shared/deadline-heap.js";
import type { Ns } from "../shared/units.js";
import { Pcpu } from "./pcpu.js";
import { idleFor, leastLoadedFor, movableTo, pullableTo } from "./pcpu-choice.js";
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

/**
 * Periodic balancing runs every so many slices. Only who is queued can be moved: an odd number meets each of two alternating
 * entities in turn, and half a slice more at the start keeps it away from the ends of slices, where one is always on its way out.
 */
export const BALANCE_SLICES = 5;
export const FIRST_BALANCE_SLICES = 5.5;
/** Bounds a round's work; a kernel balances large domains more rarely, too. */
const MAX_TARGETS_PER_ROUND = 64;
const MAX_MOVES_PER_TARGET = 64;

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
  #nextTarget = 0;
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

  freeze(_now: Ns): void {}
  thaw(_now: Ns): void {}
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
    if (current === null) this.#deadlines.clear(id);
    else if (!this.#gaveWay(pcpu, current, now)) this.#setDeadline(pcpu, current, now);
  }

  /** Periodic balancing: every pCPU takes from more loaded ones, in turn. Very many pCPUs take their turns over rounds. */
  balance(now: Ns): void {
    this.#round++;
    const turns = Math.min(this.#pcpus.length, MAX_TARGETS_PER_ROUND);
    for (let turn = 0; turn < turns; turn++) {
      this.#balanceTo(this.#pcpus[this.#nextTarget], now);
      this.#nextTarget = (this.#nextTarget + 1) % this.#pcpus.length;
    }
  }

  #balanceTo(target: Pcpu, now: Ns): void {
    for (let moves = 0; moves < MAX_MOVES_PER_TARGET; moves++) {
      const entity = movableTo(this.#pcpus, target, this.#round);
      if (entity === null) return;
      // As uneven as before, the other way round: enough to take turns, and no more in this round.
      const turnedRound = this.#pcpus[entity.pcpu].load - target.load === entity.weight;
      this.#migrate(entity, target, now);
      if (turnedRound) return;
    }
  }

  /**
   * Charges the current entity up to now. If that completed its request (or its burst), whoever is next may have to run.
   *
   * @returns whether the current entity has lost its pCPU, or been asked for it
   */
  #gaveWay(pcpu: Pcpu, current: SchedEntity, now: Ns): boolean {
    const completed = this.#charge(pcpu, current, now);
    if (current.task?.halted) {
      this.#blockTask(current, now);
      return true;
    }
    if (!completed) return false;
    current.arrival = ++this.#arrivals;
    const first = pcpu.queue.first;
    // A tie goes to who waited: it arrived earlier.
    if (first !== null && first.vruntime <= current.vruntime) {
      this.#reschedule(pcpu, now);
      return true;
    }
    this.#advanceVirtualTime(pcpu, current);
    return false;
  }

  /**
   * The queue's virtual time is the start of the request in service: update_min_vruntime. It must not outgrow a double, so
   * it is lowered now and then, with everyone who is queued, runs or sleeps here.
   */
  #advanceVirtualTime(pcpu: Pcpu, served: SchedEntity): void {
    pcpu.queue.advanceTo(served.vruntime);
    const excess = pcpu.queue.takeExcess();
    if (excess === 0) return;
    for (const entity of this.#entities) if (entity.pcpu === pcpu.id) entity.vruntime -= excess;
  }

  /** select_task_rq_fair: where it ran last if that is idle, else any idle one, else where it ran last. */
  #selectPcpu(entity: SchedEntity): Pcpu {
    const last = entity.pcpu < 0 ? null : this.#pcpus[entity.pcpu];
    if (last?.idle) return last;
    return this.#idlePcpuFor(entity) ?? last ?? leastLoadedFor(this.#pcpus, entity);
  }

  #idlePcpuFor(entity: SchedEntity): Pcpu | null {
    return this.#idlePcpus === 0 ? null : idleFor(this.#pcpus, entity);
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
    if (this.#gaveWay(pcpu, current, now)) return;
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
    this.#advanceVirtualTime(pcpu, entity);
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

  /** newidle_balance: a pCPU that would idle takes what is furthest behind on the most loaded queue. */
  #pull(idle: Pcpu): SchedEntity | null {
    const entity = pullableTo(this.#pcpus, idle);
    if (entity === null) return null;
    this.#pcpus[entity.pcpu].queue.remove(entity);
    this.#moveHome(entity, idle);
    return entity;
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
}
