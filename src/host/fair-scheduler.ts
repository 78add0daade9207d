import type { DeadlineHeap } from "../shared/deadline-heap.js";
import type { Ns } from "../shared/units.js";
import { Balancer } from "./balancer.js";
import type { HostTask } from "./host-task.js";
import type { Pcpu } from "./pcpu.js";
import { Pcpus } from "./pcpus.js";
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
 * Weighted fair scheduling of vCPUs and host tasks over emulated pCPUs, one run queue each. Told the time, decides who
 * runs; a state machine of its own, with no idea of pages or ledgers. docs/scheduler.md says which rule of CFS or
 * EEVDF each one follows.
 */
export class FairScheduler {
  readonly #pcpus: Pcpus;
  readonly #entities: readonly SchedEntity[];
  /** Slot p holds pCPU p's deadline: the end of the running request or of a host task's burst. */
  readonly #deadlines: DeadlineHeap;
  readonly #decisions: SchedDecisions;
  readonly #sliceNs: Ns;
  readonly #balancer: Balancer;
  #arrivals = 0;
  #frozen = false;

  constructor(
    pcpuCount: number,
    sliceNs: Ns,
    entities: readonly SchedEntity[],
    deadlines: DeadlineHeap,
    decisions: SchedDecisions,
  ) {
    this.#pcpus = new Pcpus(pcpuCount, entities);
    this.#entities = entities;
    this.#deadlines = deadlines;
    this.#decisions = decisions;
    this.#sliceNs = sliceNs;
    this.#balancer = new Balancer(this.#pcpus, (entity, target, now) => this.#migrate(entity, target, now));
  }

  /** The entity that holds a pCPU, or null. */
  runningOn(pcpu: number): SchedEntity | null {
    return this.#pcpus.all[pcpu].current;
  }

  /** The run ends: frozen, and not thawed again. */
  stop(now: Ns): void {
    this.freeze(now);
  }

  /**
   * Nothing is granted from now on: vCPUs that run are kicked, host tasks go back into their queues. Who gives its pCPU
   * back or wakes meanwhile stays where it is queued.
   */
  freeze(now: Ns): void {
    this.#frozen = true;
    for (const pcpu of this.#pcpus.all) {
      const { current } = pcpu;
      if (current === null) continue;
      if (current.task === null) this.#reschedule(pcpu, now);
      else this.#withdrawTask(pcpu, current, current.task, now);
    }
  }

  /** The end of a freeze: every pCPU goes on with its own queue, then those that have none pull. */
  thaw(now: Ns): void {
    this.#frozen = false;
    const { all } = this.#pcpus;
    for (const pcpu of all) if (pcpu.queue.size > 0) this.#dispatch(pcpu, now);
    for (const pcpu of all) this.#dispatch(pcpu, now);
  }

  /** An entity became runnable: place it, and let it preempt if it is far enough behind. */
  wake(entity: SchedEntity, now: Ns): void {
    const pcpu = this.#selectPcpu(entity);
    this.#moveHome(entity, pcpu);
    this.#placeWoken(entity, pcpu);
    entity.arrival = ++this.#arrivals;
    const held = pcpu.current !== null;
    this.#enqueue(entity, pcpu, now);
    if (held) this.#checkPreempt(pcpu, entity, now);
  }

  /** A kicked vCPU gave its pCPU back and wants it again. */
  yielded(entity: SchedEntity, now: Ns): void {
    const pcpu = this.#pcpus.all[entity.pcpu];
    if (this.#release(pcpu, now)) entity.arrival = ++this.#arrivals;
    this.#enqueue(entity, pcpu, now);
    this.#pushToIdle(entity, now);
  }

  /** An entity gave its pCPU back and does not want it: it halted, sleeps or went offline. */
  blocked(entity: SchedEntity, now: Ns): void {
    const pcpu = this.#pcpus.all[entity.pcpu];
    this.#release(pcpu, now);
    this.#dispatch(pcpu, now);
  }

  /** A pCPU's deadline is due. */
  deadlineDue(id: number, now: Ns): void {
    const pcpu = this.#pcpus.all[id];
    const current = pcpu.current;
    if (current === null) this.#deadlines.clear(id);
    else if (!this.#gaveWay(pcpu, current, now)) this.#setDeadline(pcpu, current, now);
  }

  /** A round of periodic balancing. */
  balance(now: Ns): void {
    if (!this.#frozen) this.#balancer.balance(now);
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
    const last = entity.pcpu < 0 ? null : this.#pcpus.all[entity.pcpu];
    if (last?.idle) return last;
    return this.#pcpus.idleFor(entity) ?? last ?? this.#pcpus.leastLoadedFor(entity);
  }

  /** Takes its distance from the old queue's virtual time along to the new one: migrate_task_rq_fair. */
  #moveHome(entity: SchedEntity, pcpu: Pcpu): void {
    if (entity.pcpu >= 0 && entity.pcpu !== pcpu.id) {
      entity.vruntime += pcpu.queue.minVruntime - this.#pcpus.all[entity.pcpu].queue.minVruntime;
    }
    entity.pcpu = pcpu.id;
  }

  /** place_entity: a sleeper is not credited with all it did not use, but with half a slice. */
  #placeWoken(entity: SchedEntity, pcpu: Pcpu): void {
    const floor = pcpu.queue.minVruntime - entity.virtualNs(this.#sliceNs / 2);
    if (entity.vruntime < floor) entity.restartAt(floor);
  }

  /** Queues an entity. One that finds nobody there is through the queue at once, and is spared it. */
  #enqueue(entity: SchedEntity, pcpu: Pcpu, now: Ns): void {
    if (pcpu.idle && !this.#frozen) {
      this.#start(entity, pcpu, now);
      return;
    }
    this.#pcpus.enqueue(entity, pcpu);
    this.#dispatch(pcpu, now);
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

  /** A host task needs no asking. The burst may have ended at this very instant. */
  #withdrawTask(pcpu: Pcpu, current: SchedEntity, task: HostTask, now: Ns): void {
    if (this.#release(pcpu, now)) current.arrival = ++this.#arrivals;
    if (task.halted) this.#decisions.taskBlocked(current, now);
    else this.#pcpus.enqueue(current, pcpu);
    this.#deadlines.clear(pcpu.id);
  }

  #blockTask(entity: SchedEntity, now: Ns): void {
    this.#decisions.taskBlocked(entity, now);
    this.blocked(entity, now);
  }

  /**
   * The current entity is off its pCPU, whose deadline is to be set for the next one or cleared.
   *
   * @returns whether it has completed a request since it was queued last
   */
  #release(pcpu: Pcpu, now: Ns): boolean {
    const current = pcpu.current;
    if (current === null) return false;
    const fresh = this.#charge(pcpu, current, now);
    this.#pcpus.vacate(pcpu);
    return fresh;
  }

  /** The next of its queue gets the pCPU; one that would idle takes what is furthest behind elsewhere: newidle_balance. */
  #dispatch(pcpu: Pcpu, now: Ns): void {
    if (pcpu.current !== null) return;
    const entity = this.#frozen ? null : (pcpu.queue.first ?? this.#pcpus.pullableTo(pcpu));
    if (entity === null) {
      this.#deadlines.clear(pcpu.id);
      return;
    }
    this.#pcpus.dequeue(entity);
    this.#moveHome(entity, pcpu);
    this.#start(entity, pcpu, now);
  }

  #start(entity: SchedEntity, pcpu: Pcpu, now: Ns): void {
    this.#advanceVirtualTime(pcpu, entity);
    this.#pcpus.occupy(pcpu, entity);
    pcpu.chargedAt = now;
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

  /** No pCPU idles while somebody who may run there is queued. */
  #pushToIdle(entity: SchedEntity, now: Ns): void {
    if (this.#frozen || entity.heapIndex < 0) return;
    const idle = this.#pcpus.idleFor(entity);
    if (idle !== null) this.#migrate(entity, idle, now);
  }

  #migrate(entity: SchedEntity, target: Pcpu, now: Ns): void {
    this.#pcpus.dequeue(entity);
    this.#moveHome(entity, target);
    entity.movedInRound = this.#balancer.round;
    this.#enqueue(entity, target, now);
  }
}
