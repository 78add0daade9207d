import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CommandRing, HostCommand } from "../src/host/command-ring.js";
import { RunQueue } from "../src/host/run-queue.js";
import { RequestSize, SchedEntity } from "../src/host/sched-entity.js";
import { WaitHistograms } from "../src/host/wait-histogram.js";
import { NICE_0_WEIGHT, weightOfNice } from "../src/host/weights.js";
import { DeadlineHeap, NEVER } from "../src/shared/deadline-heap.js";
import { MAX_TIME_NS, NS_PER_MS, NS_PER_SECOND, NS_PER_US, type Ns } from "../src/shared/units.js";

const RUNS = { seed: 20100830, numRuns: 500 };
const SLICE_NS = 4 * NS_PER_MS;

const anyNice = fc.integer({ min: -20, max: 19 });

describe("the heap of deadlines", () => {
  const SLOTS = 20;
  // Few different deadlines, so that there are many ties; and now and then one that is far away.
  const anyDeadline = fc.oneof(fc.nat(5), fc.nat(40), fc.nat(40), fc.constant(NEVER), fc.constant(MAX_TIME_NS));
  const anyStep = fc.record({ slot: fc.nat(SLOTS - 1), deadline: fc.option(anyDeadline, { nil: null }) });
  const someSteps = fc.array(anyStep, { maxLength: 100, size: "max" });

  /** The earliest deadline, and the lowest slot that has it; -1 for none. */
  function earliestOf(deadlines: ReadonlyMap<number, Ns>): { earliest: Ns; slot: number } {
    let found = { earliest: NEVER, slot: -1 };
    for (const [slot, earliest] of [...deadlines].sort(([a], [b]) => a - b)) {
      if (earliest < found.earliest) found = { earliest, slot };
    }
    return found;
  }

  function assertLike(heap: DeadlineHeap, model: ReadonlyMap<number, Ns>): void {
    const { earliest, slot } = earliestOf(model);
    assert.equal(heap.earliest, earliest);
    if (slot >= 0) assert.equal(heap.earliestSlot, slot);
  }

  test("says what a list searched from end to end would say, after any steps", () => {
    fc.assert(
      fc.property(someSteps, (steps) => {
        const heap = new DeadlineHeap(SLOTS);
        const model = new Map<number, Ns>();
        for (const { slot, deadline } of steps) {
          if (deadline === null) heap.clear(slot);
          else heap.set(slot, deadline);
          if (deadline === null || deadline === NEVER) model.delete(slot);
          else model.set(slot, deadline);
          assertLike(heap, model);
        }
        // What is deeper than the top shows when the top is taken away.
        while (model.size > 0) {
          const { slot } = earliestOf(model);
          heap.clear(slot);
          model.delete(slot);
          assertLike(heap, model);
        }
      }),
      RUNS,
    );
  });

  test("without deadlines there is nothing due, ever", () => {
    const heap = new DeadlineHeap(2);
    assert.equal(heap.earliest, Number.POSITIVE_INFINITY);
    heap.set(1, 7);
    heap.set(1, NEVER);
    assert.equal(heap.earliest, NEVER);
    heap.clear(1);
    assert.equal(heap.earliest, NEVER);
  });
});

describe("a run queue", () => {
  const ENTITIES = 16;
  /** Lets the entity with this number arrive or leave; -1 takes the first. */
  const anyStep = fc.record({ which: fc.integer({ min: -1, max: ENTITIES - 1 }), vruntime: fc.nat(20) });
  const someSteps = fc.array(anyStep, { maxLength: 100, size: "max" });
  const someNices = fc.array(anyNice, { minLength: ENTITIES, maxLength: ENTITIES });

  function bySchedule(a: SchedEntity, b: SchedEntity): number {
    return a.vruntime - b.vruntime || a.arrival - b.arrival;
  }

  /** A queue, and beside it a list that is sorted anew at every arrival. */
  class Pair {
    readonly queue = new RunQueue();
    readonly list: SchedEntity[] = [];
    readonly #entities: readonly SchedEntity[];
    #arrivals = 0;

    constructor(nices: readonly number[]) {
      this.#entities = nices.map((nice, id) => new SchedEntity(id, new RequestSize(nice, SLICE_NS), null, null));
    }

    takeFirst(): void {
      const { first } = this.queue;
      if (first !== null) this.queue.remove(first);
      assert.equal(first, this.list.shift() ?? null);
    }

    arriveOrLeave(which: number, vruntime: number): void {
      const entity = this.#entities[which];
      const position = this.list.indexOf(entity);
      if (position >= 0) {
        this.queue.remove(entity);
        this.list.splice(position, 1);
        return;
      }
      entity.vruntime = vruntime;
      entity.arrival = ++this.#arrivals;
      this.queue.add(entity);
      this.list.push(entity);
      this.list.sort(bySchedule);
    }

    assertAlike(): void {
      const { queue, list } = this;
      assert.equal(queue.size, list.length);
      assert.equal(queue.first, list.at(0) ?? null);
      const queued = Array.from({ length: queue.size }, (_, position) => queue.at(position));
      assert.deepEqual(queued.toSorted(bySchedule), list);
      const weights = list.map(({ weight }) => weight);
      assert.equal(
        queue.queuedWeight,
        weights.reduce((sum, weight) => sum + weight, 0),
      );
      for (const entity of this.#entities) assert.equal(entity.heapIndex, queued.indexOf(entity));
    }
  }

  test("holds the order of a sorted list and the sum of its weights, whoever comes and goes", () => {
    fc.assert(
      fc.property(someNices, someSteps, (nices, steps) => {
        const pair = new Pair(nices);
        for (const { which, vruntime } of steps) {
          if (which < 0) pair.takeFirst();
          else pair.arriveOrLeave(which, vruntime);
          pair.assertAlike();
        }
        while (pair.list.length > 0) pair.takeFirst();
        pair.assertAlike();
      }),
      RUNS,
    );
  });

  test("finds the one furthest behind that may run on a pCPU, of equals the one nearest to the front of the heap", () => {
    const arbQueued = fc.array(fc.record({ vruntime: fc.nat(3), mayRun: fc.boolean() }), { maxLength: 30 });
    fc.assert(
      fc.property(arbQueued, (queued) => {
        const queue = new RunQueue();
        for (const [id, { vruntime, mayRun }] of queued.entries()) {
          const entity = new SchedEntity(id, new RequestSize(0, SLICE_NS), [mayRun ? 1 : 0], null);
          entity.vruntime = vruntime;
          // The heap's layout is then another one than the order in which they came.
          entity.arrival = (id * 7) % 31;
          queue.add(entity);
        }
        const inHeap = Array.from({ length: queue.size }, (_, position) => queue.at(position));
        const mayRun = inHeap.filter((entity) => entity.mayRunOn(1));
        const least = Math.min(...mayRun.map(({ vruntime }) => vruntime));
        assert.equal(queue.firstFor(1), mayRun.find(({ vruntime }) => vruntime === least) ?? null);
      }),
      { numRuns: 1_000 },
    );
  });

  test("its virtual time never goes back, and is brought back to 0 far below 2^53", () => {
    const queue = new RunQueue();
    queue.advanceTo(1_000);
    queue.advanceTo(10);
    assert.deepEqual([queue.minVruntime, queue.takeExcess()], [1_000, 0]);
    const farNs = 2 ** 50 + 5;
    queue.advanceTo(farNs);
    assert.deepEqual([queue.takeExcess(), queue.minVruntime], [farNs, 0]);
  });
});

describe("weights", () => {
  // As published with the kernel's sched_prio_to_weight.
  const KNOWN: readonly (readonly [nice: number, weight: number])[] = [
    [-20, 88_761],
    [-15, 29_154],
    [-10, 9_548],
    [-5, 3_121],
    [0, 1_024],
    [5, 335],
    [10, 110],
    [15, 36],
    [19, 15],
  ];

  test("are the kernel's", () => {
    for (const [nice, weight] of KNOWN) assert.equal(weightOfNice(nice), weight, `nice ${nice}`);
    assert.equal(weightOfNice(0), NICE_0_WEIGHT);
  });

  test("fall by a factor of 1.25 a step, as near as a whole number comes", () => {
    for (let nice = -20; nice <= 19; nice++) {
      const exact = NICE_0_WEIGHT / 1.25 ** nice;
      const weight = weightOfNice(nice);
      assert.ok(Math.abs(weight - exact) <= 0.05 * exact, `nice ${nice}: ${weight}, a power of 1.25 is ${exact}`);
      if (nice === 19) continue;
      // Below 100 a whole number is a coarse step.
      const ratio = weight / weightOfNice(nice + 1);
      assert.ok(ratio > 1.19 && ratio < 1.29, `nice ${nice} to ${nice + 1}: ${ratio}`);
    }
  });
});

describe("a histogram of waits", () => {
  const anyWaitNs = fc.oneof(
    fc.nat(40),
    fc.nat(NS_PER_SECOND),
    fc.integer({ min: 0, max: MAX_TIME_NS }),
    fc.integer({ min: 0, max: 52 }).map((exponent) => 2 ** exponent),
    fc.integer({ min: 1, max: 52 }).map((exponent) => 2 ** exponent - 1),
  );

  /** The second of three: its neighbours hold other values. */
  function histogramOf(waitsNs: readonly Ns[]) {
    const histograms = new WaitHistograms(3);
    for (const waitNs of waitsNs) {
      histograms.record(0, 2 * waitNs + 1);
      histograms.record(1, waitNs);
      histograms.record(2, 3);
    }
    return { maxNs: histograms.maxNs(1), quantileNs: (quantile: number) => histograms.quantileNs(1, quantile) };
  }

  test("a quantile is never below the true one, and above it by less than one part in 16", () => {
    const someWaits = fc.array(anyWaitNs, { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(someWaits, fc.constantFrom(0, 0.25, 0.5, 0.75, 0.99, 1), (waitsNs, quantile) => {
        const sorted = waitsNs.toSorted((a, b) => a - b);
        const trueNs = sorted[Math.max(1, Math.ceil(sorted.length * quantile)) - 1];
        const foundNs = histogramOf(waitsNs).quantileNs(quantile);
        assert.ok(foundNs >= trueNs, `${foundNs} ns, but it is ${trueNs}`);
        assert.ok(foundNs - trueNs <= trueNs / 16, `${foundNs} ns, but it is ${trueNs}`);
      }),
      RUNS,
    );
  });

  test("the maximum is exact, and no quantile is above it", () => {
    fc.assert(
      fc.property(fc.array(anyWaitNs, { minLength: 1, maxLength: 20 }), (waitsNs) => {
        const histogram = histogramOf(waitsNs);
        assert.equal(histogram.maxNs, Math.max(...waitsNs));
        assert.equal(histogram.quantileNs(1), histogram.maxNs);
      }),
      RUNS,
    );
  });

  test("of nothing, of 0 alone, and beyond 32 bits", () => {
    assert.deepEqual([histogramOf([]).quantileNs(0.5), histogramOf([]).maxNs], [0, 0]);
    assert.deepEqual([histogramOf([0]).quantileNs(0.5), histogramOf([0]).maxNs], [0, 0]);
    const dayNs = 86_400 * NS_PER_SECOND;
    // The maximum stands elsewhere, so that it does not cut the median down to the exact value.
    const medianNs = histogramOf([dayNs, dayNs, 2 * dayNs]).quantileNs(0.5);
    assert.ok(medianNs >= dayNs && medianNs <= dayNs + dayNs / 16, `${medianNs}`);
  });
});

describe("the ring of commands", () => {
  function drain(ring: CommandRing): [HostCommand, number][] {
    const commands: [HostCommand, number][] = [];
    for (; !ring.empty; ring.drop()) commands.push([ring.command, ring.vcpu]);
    return commands;
  }

  test("hands out commands in the order in which they were given, however often it is drained", () => {
    const anyCommand = fc.tuple(fc.constantFrom(HostCommand.Grant, HostCommand.Kick), fc.nat(2));
    fc.assert(
      fc.property(fc.array(fc.array(anyCommand, { maxLength: 12 }), { maxLength: 20 }), (rounds) => {
        const ring = new CommandRing(3);
        assert.ok(ring.empty);
        for (const commands of rounds) {
          for (const [command, vcpu] of commands) ring.push(command, vcpu);
          assert.deepEqual(drain(ring), commands);
        }
      }),
      RUNS,
    );
  });

  test("has room for the kick that crosses an exit, the next grant and a kick for that, on every vCPU", () => {
    const ring = new CommandRing(1_024);
    for (let vcpu = 0; vcpu < 1_024; vcpu++) {
      ring.push(HostCommand.Kick, vcpu);
      ring.push(HostCommand.Grant, vcpu);
      ring.push(HostCommand.Kick, vcpu);
    }
    assert.equal(drain(ring).length, 3 * 1_024);
  });

  test("a driver that does not drain it is told", () => {
    const ring = new CommandRing(2);
    const pushMany = (): void => {
      for (let pushes = 0; pushes < 100; pushes++) ring.push(HostCommand.Grant, 1);
    };
    assert.throws(pushMany, { name: "RangeError", message: /overflow/ });
  });
});

describe("service in virtual time", () => {
  const anySliceNs = fc.oneof(
    fc.constant(SLICE_NS),
    fc.integer({ min: 100 * NS_PER_US, max: NS_PER_SECOND }),
    fc.integer({ min: 1, max: 100 }),
  );

  // A remainder that was dropped would cost the heaviest a request of virtual time now and then: nice -20 in 44 us.
  test("after n requests it is n slices * 1024 / weight, rounded down once and not in each request", () => {
    fc.assert(
      fc.property(anyNice, anySliceNs, fc.array(fc.nat(40), { maxLength: 40 }), (nice, sliceNs, completed) => {
        const entity = new SchedEntity(0, new RequestSize(nice, sliceNs), null, null);
        let requests = 0;
        for (const more of completed) {
          assert.equal(entity.charge(more * sliceNs), more > 0);
          requests += more;
          const exact = (BigInt(requests) * BigInt(sliceNs) * BigInt(NICE_0_WEIGHT)) / BigInt(entity.weight);
          assert.equal(BigInt(entity.vruntime), exact);
        }
      }),
      RUNS,
    );
  });

  test("does not depend on how the service is cut into pieces, and late service counts for the next request", () => {
    const pieces = fc.array(fc.nat(3 * SLICE_NS), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(anyNice, pieces, (nice, chargesNs) => {
        const entity = new SchedEntity(0, new RequestSize(nice, SLICE_NS), null, null);
        let totalNs = 0;
        for (const ns of chargesNs) {
          const before = Math.floor(totalNs / SLICE_NS);
          totalNs += ns;
          const requests = Math.floor(totalNs / SLICE_NS);
          assert.equal(entity.charge(ns), requests > before);
          assert.equal(entity.servedNs, totalNs % SLICE_NS);
          assert.equal(entity.sliceLeftNs, SLICE_NS - (totalNs % SLICE_NS));
          assert.equal(entity.vruntime, Math.floor((requests * SLICE_NS * NICE_0_WEIGHT) / entity.weight));
        }
      }),
      RUNS,
    );
  });

  test("a nice-0 entity's virtual time is real time; a span of others is scaled by weight and rounded down", () => {
    const normal = new SchedEntity(0, new RequestSize(0, SLICE_NS), null, null);
    normal.charge(25 * SLICE_NS + 1);
    assert.deepEqual([normal.vruntime, normal.servedNs], [25 * SLICE_NS, 1]);
    assert.equal(normal.virtualNs(SLICE_NS), SLICE_NS);
    assert.equal(new SchedEntity(0, new RequestSize(-5, SLICE_NS), null, null).virtualNs(SLICE_NS), 1_312_399);
    assert.equal(new SchedEntity(0, new RequestSize(5, SLICE_NS), null, null).virtualNs(SLICE_NS), 12_226_865);
  });

  test("a restarted entity has forgotten its request, its rounding included", () => {
    const [used, fresh] = [0, 1].map((id) => new SchedEntity(id, new RequestSize(-20, SLICE_NS), null, null));
    used.charge(3 * SLICE_NS + 5);
    for (const entity of [used, fresh]) entity.restartAt(1_000);
    for (let requests = 0; requests < 100; requests++) {
      assert.deepEqual([used.vruntime, used.sliceLeftNs], [fresh.vruntime, fresh.sliceLeftNs]);
      for (const entity of [used, fresh]) entity.charge(SLICE_NS);
    }
  });

  test("pinned entities run where they may, others anywhere", () => {
    const pinned = new SchedEntity(0, new RequestSize(0, SLICE_NS), [1, 3], null);
    assert.deepEqual(
      [0, 1, 2, 3].map((pcpu) => pinned.mayRunOn(pcpu)),
      [false, true, false, true],
    );
    assert.ok(new SchedEntity(0, new RequestSize(0, SLICE_NS), null, null).mayRunOn(1_000));
  });
});
