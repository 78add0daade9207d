import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ChangeList } from "../src/host/change-list.js";
import type { Pcpu } from "../src/host/pcpu.js";
import { Pcpus } from "../src/host/pcpus.js";
import { RequestSize, SchedEntity } from "../src/host/sched-entity.js";
import { TournamentTree } from "../src/host/tournament-tree.js";
import { NS_PER_MS } from "../src/shared/units.js";
import { idleFor, leastLoadedFor, movableTo, pullableTo } from "./pcpu-scan.js";

const MAX_PCPUS = 40;

interface Step {
  readonly kind: "queue" | "unqueue" | "occupy" | "vacate" | "move" | "ask";
  readonly which: number;
  readonly where: number;
  readonly value: number;
}

const arbSteps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom("queue", "queue", "occupy", "unqueue", "vacate", "move", "ask", "ask"),
    which: fc.nat(999),
    where: fc.nat(999),
    // Few values, so that many are equal.
    value: fc.nat(3),
  }),
  { minLength: 1, maxLength: 150 },
);

const arbMembers = fc.oneof(
  fc.uniqueArray(fc.nat(MAX_PCPUS - 1), { minLength: 1, maxLength: 6 }),
  fc.tuple(fc.nat(MAX_PCPUS - 1), fc.nat(8)).map(([first, length]) => Array.from({ length }, (_, i) => first + i)),
);

const arbCrowd = fc.record({
  pcpus: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: MAX_PCPUS })),
  sets: fc.array(arbMembers, { maxLength: 4 }),
  /** Nice, and which set; every other one is not pinned. */
  entities: fc.array(fc.record({ nice: fc.constantFrom(0, 0, 5, -3, 6), set: fc.nat(7) }), {
    minLength: 1,
    maxLength: 30,
  }),
});

/** pCPUs and entities that come and go there without any reason. */
class Crowd {
  readonly pcpus: Pcpus;
  readonly entities: readonly SchedEntity[];
  readonly #running = new Set<SchedEntity>();

  constructor(crowd: typeof arbCrowd extends fc.Arbitrary<infer T> ? T : never, indexed: boolean) {
    const sets = crowd.sets.filter((members) => members.some((pcpu) => pcpu < crowd.pcpus));
    this.entities = crowd.entities.map(
      ({ nice, set }, id) => new SchedEntity(id, new RequestSize(nice, NS_PER_MS), sets.at(set) ?? null, null),
    );
    this.pcpus = new Pcpus(crowd.pcpus, this.entities, indexed);
  }

  happen({ kind, which, where, value }: Step): void {
    const entity = this.entities[which % this.entities.length];
    const allowed = this.pcpus.all.filter(({ id }) => entity.mayRunOn(id));
    const pcpu = allowed[where % allowed.length];
    const isQueued = entity.heapIndex >= 0;
    const isFree = !isQueued && !this.#running.has(entity);
    if (kind === "queue" && isFree) this.#queue(entity, pcpu, value);
    if (kind === "unqueue" && isQueued) this.pcpus.dequeue(entity);
    if (kind === "occupy" && isFree && pcpu.current === null) this.#occupy(entity, pcpu);
    if (kind === "vacate") this.#vacate(this.pcpus.all[where % this.pcpus.all.length]);
    if (kind === "move" && isQueued) entity.movedInRound = value;
  }

  /** Everything that can be asked about an entity, a pCPU and a round. */
  assertAnswers({ which, where, value }: Step): void {
    const { all } = this.pcpus;
    const entity = this.entities[which % this.entities.length];
    const pcpu = all[where % all.length];
    assert.equal(this.pcpus.idleFor(entity), idleFor(all, entity));
    assert.equal(this.pcpus.leastLoadedFor(entity), leastLoadedFor(all, entity));
    assert.equal(this.pcpus.movableTo(pcpu, value), movableTo(all, pcpu, value));
    // Who has somebody queued has no need to pull.
    for (const idle of all) {
      if (idle.queue.size === 0) assert.equal(this.pcpus.pullableTo(idle), pullableTo(all, idle));
    }
  }

  #queue(entity: SchedEntity, pcpu: Pcpu, vruntime: number): void {
    entity.pcpu = pcpu.id;
    entity.vruntime = vruntime;
    this.pcpus.enqueue(entity, pcpu);
  }

  #occupy(entity: SchedEntity, pcpu: Pcpu): void {
    entity.pcpu = pcpu.id;
    this.#running.add(entity);
    this.pcpus.occupy(pcpu, entity);
  }

  #vacate(pcpu: Pcpu): void {
    if (pcpu.current === null) return;
    this.#running.delete(pcpu.current);
    this.pcpus.vacate(pcpu);
  }
}

describe("what placing and balancing choose", () => {
  for (const indexed of [false, true]) {
    test(`is what looking at everyone finds, ${indexed ? "with" : "without"} an index`, () => {
      fc.assert(
        fc.property(arbCrowd, arbSteps, (options, steps) => {
          const crowd = new Crowd(options, indexed);
          for (const step of steps) {
            if (step.kind === "ask") crowd.assertAnswers(step);
            else crowd.happen(step);
          }
          for (const step of steps) crowd.assertAnswers(step);
        }),
        { numRuns: 1_000 },
      );
    });

    test(`is refused to who may run nowhere, ${indexed ? "with" : "without"} an index`, () => {
      const nowhere = new SchedEntity(0, new RequestSize(0, NS_PER_MS), [7], null);
      const pcpus = new Pcpus(2, [nowhere], indexed);
      assert.throws(() => pcpus.leastLoadedFor(nowhere), RangeError);
    });
  }
});

describe("a tournament", () => {
  test("is won by the greatest key, in the lowest slot that has it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.array(fc.tuple(fc.nat(69), fc.integer({ min: -3, max: 3 }))),
        (slots, changes) => {
          const tree = new TournamentTree(slots);
          const keys = new Array<number>(slots).fill(0);
          for (const [which, key] of changes) {
            keys[which % slots] = key;
            tree.set(which % slots, key);
            const greatest = Math.max(...keys);
            assert.deepEqual([tree.greatest + 0, tree.winner], [greatest + 0, keys.indexOf(greatest)]);
          }
        },
      ),
    );
  });
});

describe("a list of changes", () => {
  test("has each that was noted once, until it is taken", () => {
    const list = new ChangeList(4);
    for (const id of [2, 0, 2, 2, 0]) list.note(id);
    const taken = [list.take(), list.take()];
    assert.deepEqual([taken.toSorted(), list.take()], [[0, 2], -1]);
    list.note(2);
    assert.deepEqual([list.take(), list.take()], [2, -1]);
  });
});
