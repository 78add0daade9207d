import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NEVER } from "../src/shared/deadline-heap.js";
import { NS_PER_MS } from "../src/shared/units.js";
import { assertConsistent, Bench, SLICE_NS } from "./scheduler-bench.js";

/** The whole host is suspended. */
describe("a frozen scheduler", () => {
  test("asks every running vCPU to leave, each once, and has no deadline", () => {
    const bench = new Bench([{}, {}, {}], { pcpus: 2, answersKicks: false });
    bench.wake(0, 1, 2);
    bench.run(NS_PER_MS);
    bench.freeze();
    bench.freeze();
    assert.deepEqual(
      [...bench.kicked].map(({ id }) => id),
      [0, 1],
    );
    assert.equal(bench.deadlines.earliest, NEVER);
  });

  test("does not ask again who was asked at the end of its slice", () => {
    const bench = new Bench([{}, {}], { answersKicks: false });
    bench.wake(0, 1);
    bench.run(SLICE_NS);
    bench.freeze();
    assert.deepEqual([...bench.kicked], [bench.entities[0]]);
  });

  test("grants nothing: neither to who is queued nor to who wakes", () => {
    const bench = new Bench([{}, {}, {}, { pcpus: [0] }], { pcpus: 2 });
    bench.wake(0, 1);
    bench.freeze();
    const granted = bench.granted.length;
    bench.wake(2, 3);
    bench.run(100 * SLICE_NS);
    assert.deepEqual([bench.running, bench.granted.length], [[-1, -1], granted]);
    assert.ok(bench.entities.every(({ heapIndex }) => heapIndex >= 0));
    assertConsistent(bench);
  });

  /** Two of the same pCPU are queued, and `elsewhere` on the other. */
  function unevenlyQueued(elsewhere: number): Bench {
    const bench = new Bench(Array(3 + elsewhere).fill({}), { pcpus: 2, answersKicks: false });
    bench.wake(...bench.entities.keys());
    bench.freeze();
    bench.block(1);
    bench.answerKick(bench.entities[0]);
    assert.deepEqual(
      bench.entities.filter(({ heapIndex }) => heapIndex >= 0).map(({ pcpu }) => pcpu),
      [0, 0, 1].slice(0, 2 + elsewhere),
    );
    return bench;
  }

  test("balances nothing", () => {
    const bench = unevenlyQueued(1);
    const before = bench.entities.map(({ pcpu }) => pcpu);
    bench.balance();
    assert.deepEqual(
      bench.entities.map(({ pcpu }) => pcpu),
      before,
    );
  });

  test("pulls nothing until it is thawed: then every pCPU without a queue does", () => {
    const bench = unevenlyQueued(0);
    assert.deepEqual(bench.running, [-1, -1]);
    bench.thaw();
    assert.deepEqual(bench.running.toSorted(), [0, 2]);
    assertConsistent(bench);
  });

  test("puts a host task back into its queue, with its service charged", () => {
    const bench = new Bench([{ duty: { busyNs: 50 * NS_PER_MS, periodNs: 100 * NS_PER_MS } }]);
    bench.wake(0);
    bench.run(NS_PER_MS);
    bench.freeze();
    const [task] = bench.entities;
    assert.deepEqual([bench.running, task.heapIndex, task.servedNs, task.task?.remainingNs], [[-1], 0, 1e6, 49e6]);
    assert.equal(bench.deadlines.earliest, NEVER);
    bench.passTo(NS_PER_MS * 500);
    bench.thaw();
    assert.deepEqual([bench.running, bench.deadlines.earliest], [[0], 503 * NS_PER_MS]);
  });

  test("lets a host task sleep whose burst is over at that instant", () => {
    const bench = new Bench([{ duty: { busyNs: NS_PER_MS, periodNs: 100 * NS_PER_MS } }, {}]);
    bench.wake(0, 1);
    bench.passTo(NS_PER_MS);
    bench.freeze();
    const [task] = bench.entities;
    assert.deepEqual([bench.runnable.has(task), task.heapIndex, task.task?.wakeAt], [false, -1, 100 * NS_PER_MS]);
    assert.equal(bench.deadlines.earliest, NEVER);
    bench.thaw();
    assert.deepEqual(bench.running, [1]);
  });

  test("a vCPU that halts at that instant is not queued", () => {
    const bench = new Bench([{}], { answersKicks: false });
    bench.wake(0);
    bench.freeze();
    bench.block(0);
    bench.thaw();
    assert.deepEqual([bench.running, bench.entities[0].heapIndex], [[-1], -1]);
  });
});

describe("a thawed scheduler", () => {
  test("a pCPU with nobody queued takes nobody whose own pCPU would run it at once", () => {
    const bench = new Bench([{}, {}, {}], { pcpus: 2 });
    bench.wake(0, 1);
    bench.block(0);
    bench.freeze();
    assert.deepEqual([bench.entities[1].pcpu, bench.running], [1, [-1, -1]]);
    bench.thaw();
    assert.deepEqual(bench.running, [-1, 1], "it stays where it was");
  });

  test("one whose kick is still on its way leaves as after any kick, and its pCPU goes to the next", () => {
    const bench = new Bench([{}, {}], { answersKicks: false });
    bench.wake(0, 1);
    bench.run(NS_PER_MS);
    bench.freeze();
    bench.thaw();
    assert.deepEqual([bench.running, bench.kicked.size], [[0], 1]);
    bench.answerKick(bench.entities[0]);
    assert.ok(bench.running[0] >= 0);
    assert.ok(bench.deadlines.earliest < NEVER);
    assertConsistent(bench);
  });

  test("nobody is charged for the time in between", () => {
    const bench = new Bench([{}, {}]);
    bench.wake(0, 1);
    bench.run(10 * SLICE_NS);
    bench.freeze();
    const vruntimes = bench.entities.map(({ vruntime, servedNs }) => [vruntime, servedNs]);
    bench.passTo(bench.now + 1_000 * SLICE_NS);
    bench.thaw();
    assert.deepEqual(
      bench.entities.map(({ vruntime, servedNs }) => [vruntime, servedNs]),
      vruntimes,
    );
  });
});
