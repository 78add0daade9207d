import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BALANCE_SLICES } from "../src/host/balancer.js";
import { FairScheduler, type SchedDecisions } from "../src/host/fair-scheduler.js";
import { HostTask } from "../src/host/host-task.js";
import { RequestSize, SchedEntity } from "../src/host/sched-entity.js";
import { DeadlineHeap } from "../src/shared/deadline-heap.js";
import { NS_PER_MS, NS_PER_SECOND, type Ns } from "../src/shared/units.js";

const SLICE_NS = 4 * NS_PER_MS;
const DAY_NS = 86_400 * NS_PER_SECOND;

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
class Bench implements SchedDecisions {
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

  constructor(entities: readonly EntityOptions[], { pcpus = 1, sliceNs = SLICE_NS, ...options }: BenchOptions = {}) {
    this.pcpus = pcpus;
    this.#answersKicks = options.answersKicks ?? true;
    this.entities = entities.map(
      ({ nice = 0, pcpus: allowed, duty }, id) =>
        new SchedEntity(
          id,
          new RequestSize(nice, sliceNs),
          allowed ?? null,
          duty === undefined ? null : new HostTask(duty),
        ),
    );
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

function assertConsistent(bench: Bench): void {
  const { running, entities, runnable } = bench;
  for (const entity of entities) {
    const isRunning = running.includes(entity.id);
    const isQueued = entity.heapIndex >= 0;
    assert.equal(isRunning || isQueued, runnable.has(entity), `entity ${entity.id} is known as runnable`);
    assert.ok(!(isRunning && isQueued), `entity ${entity.id} is in one place`);
    if (isRunning) assert.equal(running.indexOf(entity.id), entity.pcpu, `entity ${entity.id} runs where it is booked`);
    if (isRunning || isQueued) assert.ok(entity.mayRunOn(entity.pcpu), `entity ${entity.id} is where it may be`);
    for (const [pcpu, id] of running.entries()) {
      assert.ok(!(isQueued && id < 0 && entity.mayRunOn(pcpu)), `entity ${entity.id} waits while pCPU ${pcpu} idles`);
    }
  }
}

const arbEvents = fc.array(
  fc.record({
    kind: fc.constantFrom("run", "run", "wake", "wake", "block", "answer", "balance"),
    which: fc.nat(),
    ns: fc.oneof(fc.nat(SLICE_NS), fc.nat(20 * NS_PER_MS)),
  }),
  { maxLength: 100 },
);

const arbBench = fc
  .record({
    entities: fc.array(fc.record({ nice: fc.integer({ min: -20, max: 19 }), pins: fc.subarray([0, 1, 2, 3]) }), {
      minLength: 1,
      maxLength: 8,
    }),
    pcpus: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ entities, pcpus }) => {
    const options = entities.map(({ nice, pins }) => {
      const allowed = pins.filter((pcpu) => pcpu < pcpus);
      return { nice, ...(allowed.length > 0 && { pcpus: allowed }) };
    });
    return new Bench(options, { pcpus, answersKicks: false });
  });

describe("a fair scheduler under random events", () => {
  test("everyone runnable runs or is queued where it may, and no pCPU that could run it idles", () => {
    fc.assert(
      fc.property(arbBench, arbEvents, (bench, events) => {
        for (const { kind, which, ns } of events) {
          happen(bench, kind, which, ns);
          assertConsistent(bench);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function happen(bench: Bench, kind: string, which: number, ns: Ns): void {
  const pick = (among: readonly SchedEntity[]): SchedEntity | undefined => among[which % Math.max(1, among.length)];
  if (kind === "run") bench.run(ns);
  if (kind === "balance") bench.balance();
  if (kind === "wake") {
    const entity = pick(bench.entities.filter((candidate) => !bench.runnable.has(candidate)));
    if (entity !== undefined) bench.wake(entity.id);
  }
  if (kind === "block") {
    const entity = pick(bench.entities.filter(({ id }) => bench.running.includes(id)));
    if (entity !== undefined) bench.block(entity.id);
  }
  if (kind === "answer") {
    const entity = pick([...bench.kicked]);
    if (entity !== undefined) bench.answerKick(entity);
  }
}

describe("where a woken entity goes", () => {
  test("to the pCPU where it ran last, if that idles", () => {
    const bench = new Bench([{ pcpus: [0] }, {}], { pcpus: 2 });
    bench.wake(0, 1);
    bench.block(0);
    bench.block(1);
    bench.wake(1);
    assert.deepEqual(bench.running, [-1, 1]);
  });

  test("else to any that idles", () => {
    const bench = new Bench([{}, { pcpus: [0] }], { pcpus: 2 });
    bench.wake(0);
    bench.block(0);
    bench.wake(1, 0);
    assert.deepEqual(bench.running, [1, 0]);
  });

  test("for the first time and with none idle, to the least loaded that it may use", () => {
    const bench = new Bench([{ nice: -5 }, { nice: 5 }, { nice: 0 }, { pcpus: [0] }], { pcpus: 2 });
    bench.wake(0, 1, 2, 3);
    assert.deepEqual(
      bench.entities.map(({ pcpu }) => pcpu),
      [0, 1, 1, 0],
    );
  });
});

describe("wake-up preemption", () => {
  /** A hog that is some way through a request, when a sleeper with a given vruntime wakes. */
  function wakesAt(vruntime: number): Bench {
    const bench = new Bench([{}, {}]);
    bench.wake(0);
    bench.run(3 * SLICE_NS);
    bench.entities[1].vruntime = vruntime;
    bench.wake(1);
    return bench;
  }

  test("who is behind by more than a quarter slice runs at once", () => {
    assert.deepEqual(wakesAt(3 * SLICE_NS - SLICE_NS / 4 - 1).running, [1]);
  });

  test("who is behind by less waits for the end of the slice", () => {
    const bench = wakesAt(3 * SLICE_NS - SLICE_NS / 4);
    assert.deepEqual(bench.running, [0]);
    bench.run(SLICE_NS);
    assert.deepEqual(bench.running, [1]);
  });

  test("a preempted request is completed later, and not begun anew", () => {
    const bench = new Bench([{}, {}]);
    bench.wake(0);
    bench.run(SLICE_NS + NS_PER_MS);
    bench.wake(1);
    assert.deepEqual([bench.running, bench.entities[0].servedNs], [[1], NS_PER_MS]);
    bench.run(100 * SLICE_NS - NS_PER_MS);
    const [first, second] = bench.entities;
    assert.deepEqual([first.servedNs % SLICE_NS, second.servedNs % SLICE_NS].includes(0), true);
  });

  // A host that is told late may hear of the wake-up first: the charge then completes the request, and its turn is over.
  test("a wake-up that is told after the slice's end does not prolong the slice", () => {
    const bench = new Bench([{}, {}, {}]);
    bench.wake(0, 1);
    bench.entities[2].vruntime = SLICE_NS;
    bench.passTo(SLICE_NS + NS_PER_MS / 2);
    bench.wake(2);
    bench.run(0);
    assert.deepEqual(bench.running, [1]);
  });
});

describe("turns", () => {
  test("equals take turns in the order in which they came", () => {
    const bench = new Bench([{}, {}, {}]);
    bench.wake(2, 0, 1);
    bench.run(6 * SLICE_NS - 1);
    assert.deepEqual(bench.granted, [2, 0, 1, 2, 0, 1]);
  });

  test("who stays late pays with a shorter turn", () => {
    const bench = new Bench([{}, {}], { answersKicks: false });
    const [late] = bench.entities;
    bench.wake(0, 1);
    bench.run(SLICE_NS + NS_PER_MS);
    assert.deepEqual([bench.running, [...bench.kicked]], [[0], [late]]);
    bench.answerKick(late);
    assert.deepEqual([late.vruntime, late.sliceLeftNs], [SLICE_NS, SLICE_NS - NS_PER_MS]);
  });

  test("a slice's end that is told late counts for the requests that follow", () => {
    const bench = new Bench([{}, {}], { answersKicks: false });
    const [late] = bench.entities;
    bench.wake(0, 1);
    bench.passTo(3 * SLICE_NS + NS_PER_MS);
    bench.run(0);
    assert.deepEqual([late.vruntime, late.sliceLeftNs], [3 * SLICE_NS, SLICE_NS - NS_PER_MS]);
  });

  test("one that is asked to leave is not asked again when the run ends, and nobody gets its pCPU", () => {
    const bench = new Bench([{}, {}], { answersKicks: false });
    const [first] = bench.entities;
    bench.wake(0, 1);
    bench.run(SLICE_NS);
    bench.scheduler.stop(bench.now);
    bench.answerKick(first);
    assert.deepEqual([bench.running, bench.granted], [[-1], [0]]);
  });

  test("a host task needs no asking: it is off at once", () => {
    const bench = new Bench([{ duty: { busyNs: 50 * NS_PER_MS, periodNs: 100 * NS_PER_MS } }, {}], {
      answersKicks: false,
    });
    bench.wake(0, 1);
    bench.run(SLICE_NS);
    assert.deepEqual(bench.running, [1]);
  });

  test("a host task that used up its burst leaves at that instant", () => {
    const bench = new Bench([{ duty: { busyNs: NS_PER_MS, periodNs: 10 * NS_PER_MS } }, {}]);
    bench.wake(0, 1);
    bench.run(NS_PER_MS);
    assert.deepEqual([bench.running, bench.runnable.size], [[1], 1]);
  });

  test("nice -20 beside nice 19: 88761 to 15", () => {
    const bench = new Bench([{ nice: -20 }, { nice: 19 }]);
    bench.wake(0, 1);
    bench.run(88_776 * SLICE_NS);
    assert.ok(Math.abs(bench.servedNs[1] / SLICE_NS - 15) <= 1, `${bench.servedNs[1]} ns`);
  });
});

describe("what a sleeper is credited with", () => {
  test("half a slice, not all that it did not use, when others competed meanwhile", () => {
    const bench = new Bench([{}, {}, {}]);
    bench.wake(0, 1);
    bench.run(NS_PER_SECOND);
    bench.wake(2);
    bench.run(30 * SLICE_NS);
    for (const [id, servedNs] of [...bench.servedNs].entries()) {
      const beforeNs = id < 2 ? NS_PER_SECOND / 2 : 0;
      assert.ok(Math.abs(servedNs - beforeNs - 10 * SLICE_NS) <= 2 * SLICE_NS, `entity ${id}: ${servedNs} ns`);
    }
  });

  // Virtual time must follow who runs alone, or it is kept out for as long as it had been alone.
  test("half a slice, also when the other ran alone meanwhile", () => {
    const bench = new Bench([{}, {}]);
    bench.wake(0, 1);
    bench.run(2 * SLICE_NS);
    bench.block(0);
    bench.block(1);
    bench.wake(0);
    bench.run(NS_PER_SECOND);
    const beforeNs = bench.servedNs[0];
    bench.wake(1);
    bench.run(20 * SLICE_NS);
    const servedNs = bench.servedNs[0] - beforeNs;
    assert.ok(Math.abs(servedNs - 10 * SLICE_NS) <= 2 * SLICE_NS, `the hog got ${servedNs} of ${20 * SLICE_NS} ns`);
  });
});

describe("between pCPUs", () => {
  test("a pCPU that would idle pulls what waited longest on the most loaded queue", () => {
    const bench = new Bench([{ pcpus: [0] }, { pcpus: [1] }, {}, { pcpus: [2] }, { nice: 5 }], { pcpus: 3 });
    bench.wake(0, 1, 3, 2, 4);
    assert.deepEqual(
      bench.entities.map(({ pcpu }) => pcpu),
      [0, 1, 0, 2, 1],
    );
    bench.block(3);
    assert.deepEqual(bench.running, [0, 1, 2]);
    bench.block(2);
    assert.deepEqual(bench.running, [0, 1, 4]);
  });

  test("who must make room for one that is pinned goes to a pCPU that idles", () => {
    const bench = new Bench([{}, { pcpus: [0] }, { pcpus: [1] }], { pcpus: 2 });
    bench.wake(0, 2, 1);
    bench.block(2);
    assert.deepEqual(bench.running, [0, -1]);
    bench.run(SLICE_NS);
    assert.deepEqual(bench.running, [1, 0]);
  });

  test("it pulls nothing that may not run there", () => {
    const bench = new Bench([{ pcpus: [0] }, { pcpus: [0] }, { pcpus: [1] }], { pcpus: 2 });
    bench.wake(0, 1, 2);
    bench.block(2);
    assert.deepEqual(bench.running, [0, -1]);
  });

  test("who moves takes its distance from the queue along, not its vruntime", () => {
    const bench = new Bench([{ pcpus: [0] }, { pcpus: [0] }, {}, { pcpus: [1] }, { pcpus: [1] }], { pcpus: 2 });
    bench.wake(0, 1, 3, 4, 2);
    bench.run(NS_PER_SECOND);
    // Three on pCPU 0 and two on pCPU 1: the queues' virtual times are far apart by now.
    bench.block(bench.running[1]);
    bench.block(bench.running[1]);
    assert.deepEqual(bench.running, [1, 2]);
    bench.wake(3, 4);
    const before = [...bench.servedNs];
    bench.run(30 * SLICE_NS);
    for (const id of [2, 3, 4]) {
      const servedNs = bench.servedNs[id] - before[id];
      assert.ok(Math.abs(servedNs - 10 * SLICE_NS) <= 2 * SLICE_NS, `entity ${id}: ${servedNs} ns`);
    }
  });

  test("balancing moves from the more to the less loaded, until a move would not help", () => {
    const bench = new Bench([{ pcpus: [1] }, {}, {}, {}], { pcpus: 2 });
    bench.wake(0);
    bench.wake(1, 2, 3);
    bench.run(NS_PER_SECOND);
    const loads = (): number[] => [0, 1].map((pcpu) => bench.entities.filter((entity) => entity.pcpu === pcpu).length);
    bench.balance();
    assert.deepEqual(loads(), [2, 2]);
  });
});

/** Hogs of equal weight that run long, balanced every five slices as the host does it, at some point of a slice. */
function sharesAfter(bench: Bench, slices: number, offsetNs: Ns): number[] {
  bench.run(offsetNs);
  for (let passed = 0; passed < slices; passed += BALANCE_SLICES) {
    bench.run(BALANCE_SLICES * SLICE_NS);
    bench.balance();
  }
  return [...bench.servedNs].map((ns) => ns / bench.now);
}

describe("a balancing round", () => {
  test("does not swap entities back and forth between two pCPUs", () => {
    const bench = new Bench([{}, {}, {}, {}, {}], { pcpus: 2 });
    bench.wake(0, 1, 2, 3, 4);
    bench.run(10 * SLICE_NS + SLICE_NS / 2);
    const before = bench.entities.map(({ pcpu }) => pcpu);
    bench.balance();
    assert.equal(bench.entities.filter(({ pcpu }, id) => pcpu !== before[id]).length, 1);
  });
});

describe("equal shares of uneven numbers", () => {
  for (const offsetNs of [0, SLICE_NS / 2]) {
    test(`three hogs share two pCPUs, balanced ${offsetNs} ns into a slice`, () => {
      const bench = new Bench([{}, {}, {}], { pcpus: 2 });
      bench.wake(0, 1, 2);
      for (const share of sharesAfter(bench, 3_000, offsetNs)) assert.ok(Math.abs(share - 2 / 3) < 0.01, `${share}`);
    });
  }

  // The least loaded pCPU of all is no use to those who may not run there.
  test("also when a third pCPU idles out of their reach", () => {
    const bench = new Bench([{ pcpus: [0, 1] }, { pcpus: [0, 1] }, { pcpus: [0, 1] }], { pcpus: 3 });
    bench.wake(0, 1, 2);
    for (const share of sharesAfter(bench, 3_000, SLICE_NS / 2)) assert.ok(Math.abs(share - 2 / 3) < 0.01, `${share}`);
  });

  // One group's taking turns must not end the round for the other.
  test("in each of two groups that are pinned apart", () => {
    const [left, right] = [{ pcpus: [0, 1] }, { pcpus: [2, 3] }];
    const bench = new Bench([left, left, left, right, right, right], { pcpus: 4 });
    bench.wake(0, 1, 2, 3, 4, 5);
    for (const share of sharesAfter(bench, 3_000, SLICE_NS / 2)) assert.ok(Math.abs(share - 2 / 3) < 0.01, `${share}`);
  });
});

describe("virtual time of long runs", () => {
  test("is lowered before it grows out of a double, and nobody gains by it", () => {
    const bench = new Bench([{}, {}, {}]);
    const [first, second, sleeper] = bench.entities;
    first.vruntime = 2 ** 50 - 20 * SLICE_NS;
    second.vruntime = first.vruntime + SLICE_NS;
    sleeper.vruntime = first.vruntime + 30 * SLICE_NS;
    bench.wake(0, 1, 2);
    bench.run(SLICE_NS);
    bench.run(200 * SLICE_NS);
    assert.ok(first.vruntime < 2 ** 49, "it was lowered");
    const [a, b, c] = bench.servedNs;
    assert.ok(Math.abs(a - b - SLICE_NS) <= SLICE_NS, `${a} and ${b} ns`);
    assert.ok(Math.abs(a - c - 30 * SLICE_NS) <= SLICE_NS, `${a} and ${c} ns`);
  });

  test("a sleeper is lowered with its queue", () => {
    const bench = new Bench([{}, {}, {}]);
    const [first, second, sleeper] = bench.entities;
    for (const entity of bench.entities) entity.vruntime = 2 ** 50 - 4 * SLICE_NS;
    bench.wake(2, 0, 1);
    bench.run(NS_PER_MS);
    bench.block(2);
    bench.run(100 * SLICE_NS);
    assert.ok(first.vruntime < 2 ** 49 && second.vruntime < 2 ** 49);
    bench.wake(2);
    assert.deepEqual(bench.running, [2]);
    assert.ok(Math.abs(sleeper.vruntime - first.vruntime) <= 2 * SLICE_NS, `${sleeper.vruntime}`);
  });

  // Nobody is ever dispatched beside it. nice 19 would pass 2^53 after 37 hours.
  test("also of one that runs alone for a long time", () => {
    const sliceNs = 10 * NS_PER_SECOND;
    const bench = new Bench([{ nice: 19 }], { sliceNs });
    bench.wake(0);
    bench.run(2 * DAY_NS);
    assert.ok(bench.entities[0].vruntime < 2 ** 51, `${bench.entities[0].vruntime}`);
  });
});
