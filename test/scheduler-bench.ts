import assert from "node:assert/strict";
import { FairScheduler, type SchedDecisions } from "../src/host/fair-scheduler.js";
import { HostTask } from "../src/host/host-task.js";
import { entityCells, RequestSize, SchedEntity } from "../src/host/sched-entity.js";
import { DeadlineHeap } from "../src/shared/deadline-heap.js";
import { NS_PER_MS, type Ns } from "../src/shared/units.js";

export const SLICE_NS = 4 * NS_PER_MS;

interface EntityOptions {
  readonly nice?: number;
  readonly pcpus?: readonly number[];
  /** A task of the host; a vCPU otherwise. */
  readonly duty?: { readonly busyNs: Ns; readonly periodNs: Ns };
}

interface BenchOptions {
  readonly pcpus?: number;
  readonly sliceNs?: Ns;
  /** false: a kicked vCPU stays until answerKick. */
  readonly answersKicks?: boolean;
}

/** A FairScheduler with nothing around it: entities that run for as long as they are let. */
export class Bench implements SchedDecisions {
  readonly entities: readonly SchedEntity[];
  readonly scheduler: FairScheduler;
  readonly deadlines: DeadlineHeap;
  readonly pcpus: number;
  readonly servedNs: Float64Array;
  readonly runnable = new Set<SchedEntity>();
  readonly kicked = new Set<SchedEntity>();
  /** Numbers of the entities in the order in which they got a pCPU. */
  readonly granted: number[] = [];
  readonly #answersKicks: boolean;
  now: Ns = 0;
  frozen = false;

  constructor(entities: readonly EntityOptions[], { pcpus = 1, sliceNs = SLICE_NS, ...options }: BenchOptions = {}) {
    this.pcpus = pcpus;
    this.#answersKicks = options.answersKicks ?? true;
    const cells = entityCells(entities.length);
    this.entities = entities.map(
      ({ nice = 0, pcpus: allowed, duty }, id) =>
        new SchedEntity(
          id,
          new RequestSize(nice, sliceNs),
          allowed ?? null,
          duty === undefined ? null : new HostTask(duty),
          cells,
        ),
    );
    for (const { task } of this.entities) task?.start(0);
    this.servedNs = new Float64Array(entities.length);
    this.deadlines = new DeadlineHeap(pcpus);
    this.scheduler = new FairScheduler(pcpus, sliceNs, this.entities, this.deadlines, this);
  }

  schedIn(entity: SchedEntity): void {
    this.granted.push(entity.id);
  }

  kick(entity: SchedEntity): void {
    assert.ok(!this.kicked.has(entity), "a vCPU is kicked once until it answers");
    this.kicked.add(entity);
  }

  taskBlocked(entity: SchedEntity): void {
    this.runnable.delete(entity);
  }

  /** The number of the entity on each pCPU, -1 for none. */
  get running(): number[] {
    return Array.from({ length: this.pcpus }, (_, pcpu) => this.scheduler.runningOn(pcpu)?.id ?? -1);
  }

  wake(...ids: number[]): void {
    for (const id of ids) {
      this.runnable.add(this.entities[id]);
      this.scheduler.wake(this.entities[id], this.now);
      this.#answerKicks();
    }
  }

  /** A running entity halts. */
  block(id: number): void {
    this.runnable.delete(this.entities[id]);
    this.kicked.delete(this.entities[id]);
    this.scheduler.blocked(this.entities[id], this.now);
    this.#answerKicks();
  }

  answerKick(entity: SchedEntity): void {
    this.kicked.delete(entity);
    this.scheduler.yielded(entity, this.now);
  }

  balance(): void {
    this.scheduler.balance(this.now);
    this.#answerKicks();
  }

  freeze(): void {
    this.frozen = true;
    this.scheduler.freeze(this.now);
    this.#answerKicks();
  }

  thaw(): void {
    this.frozen = false;
    this.scheduler.thaw(this.now);
    this.#answerKicks();
  }

  run(ns: Ns): void {
    const untilNs = this.now + ns;
    while (this.deadlines.earliest <= untilNs) {
      this.passTo(Math.max(this.now, this.deadlines.earliest));
      this.scheduler.deadlineDue(this.deadlines.earliestSlot, this.now);
      this.#answerKicks();
    }
    this.passTo(untilNs);
  }

  /** Time passes and the scheduler is not told. */
  passTo(now: Ns): void {
    for (const id of this.running) if (id >= 0) this.servedNs[id] += now - this.now;
    this.now = now;
  }

  #answerKicks(): void {
    if (this.#answersKicks) for (const entity of this.kicked) this.answerKick(entity);
  }
}

/** Everyone is where it may be, and nobody idles who need not. */
export function assertConsistent(bench: Bench): void {
  const { running, entities, runnable } = bench;
  for (const entity of entities) {
    const isRunning = running.includes(entity.id);
    const isQueued = entity.heapIndex >= 0;
    assert.equal(isRunning || isQueued, runnable.has(entity), `entity ${entity.id} is known as runnable`);
    assert.ok(!(isRunning && isQueued), `entity ${entity.id} is in one place`);
    if (isRunning) assert.equal(running.indexOf(entity.id), entity.pcpu, `entity ${entity.id} runs where it is booked`);
    if (isRunning || isQueued) assert.ok(entity.mayRunOn(entity.pcpu), `entity ${entity.id} is where it may be`);
    if (bench.frozen) continue;
    for (const [pcpu, id] of running.entries()) {
      assert.ok(!(isQueued && id < 0 && entity.mayRunOn(pcpu)), `entity ${entity.id} waits while pCPU ${pcpu} idles`);
    }
  }
}
