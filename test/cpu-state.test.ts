import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { CpuState, NO_PAGE } from "../src/guest/cpu-state.js";
import { NS_PER_MS } from "../src/shared/units.js";
import { machineOf, observerOf, runToEnd } from "./virtual-helpers.js";

type NumberName = "toldAt" | "nextTick" | "ticks" | "userNs" | "clockNs" | "stealTakenNs";

/** Every number and flag that a row has. */
const NAMES = Object.entries(Object.getOwnPropertyDescriptors(CpuState.prototype))
  .filter(([, { set }]) => set !== undefined)
  .map(([name]) => name as NumberName);
const FLAGS = NAMES.filter((name) => typeof new CpuState()[name] === "boolean");
const NUMBERS = NAMES.filter((name) => !FLAGS.includes(name));

describe("the state of some CPUs", () => {
  test("has a place for each number of each CPU", () => {
    const state = new CpuState(3);
    const numberFor = (cpu: number, index: number): number => 1_000 * cpu + index;
    for (const cpu of [0, 1, 2]) {
      state.select(cpu);
      for (const [index, name] of NUMBERS.entries()) state[name] = numberFor(cpu, index);
    }
    for (const cpu of [2, 0, 1]) {
      state.select(cpu);
      assert.deepEqual(
        NUMBERS.map((name) => state[name]),
        NUMBERS.map((_, index) => numberFor(cpu, index)),
      );
    }
  });

  test("has a place for each flag, which is no number's", () => {
    assert.equal(FLAGS.length, 6);
    for (const flag of FLAGS) {
      const state = new CpuState();
      const before = NAMES.map((name) => state[name]);
      Object.assign(state, { [flag]: true });
      assert.deepEqual(
        NAMES.filter((name, index) => state[name] !== before[index]),
        [flag],
      );
      Object.assign(state, { [flag]: false });
      assert.deepEqual(
        NAMES.map((name) => state[name]),
        before,
      );
    }
  });

  test("before they boot: nothing falls due, and none has a page", () => {
    const state = new CpuState(2);
    for (const cpu of [0, 1]) {
      state.select(cpu);
      const { nextTick, nextSample, offlineAt, taskWakeAt, pageBase } = state;
      assert.deepEqual([nextTick, nextSample, offlineAt, taskWakeAt], Array(4).fill(Number.POSITIVE_INFINITY));
      assert.equal(pageBase, NO_PAGE);
      assert.deepEqual([state.rare.onlineAt, state.rare.endedStretches], [Number.POSITIVE_INFINITY, []]);
    }
  });

  test("may be of any CPUs: of one in its thread, the first is selected", () => {
    const state = new CpuState(1, 7);
    assert.equal(state.cpu, 7);
    state.ticks = 5;
    state.select(7);
    assert.deepEqual([state.ticks, state.rare.gpa], [5, 0]);
  });

  test("can be looked at twice at once: the same numbers, each with a selection of its own", () => {
    const state = new CpuState(3, 10);
    const view = state.viewOf(12);
    assert.deepEqual([state.cpu, view.cpu], [10, 12]);
    view.ticks = 3;
    view.rare.gpa = 4_096;
    assert.deepEqual([state.ticks, state.rare.gpa], [0, 0]);
    state.select(12);
    assert.deepEqual([state.ticks, state.rare.gpa], [3, 4_096]);
    state.ticks = 4;
    assert.equal(view.ticks, 4);
  });
});

describe("CPUs that share the objects of their configuration", () => {
  const LIKE_EACH_OTHER = { vcpuCount: 4, pcpus: 2, durationNs: 100 * NS_PER_MS } as const;

  test("are told of one by one: during the call the object is that CPU", () => {
    const ticks = new Map<number, number>();
    const machine = machineOf(LIKE_EACH_OTHER, {
      observer: observerOf({ told: (vcpu, guest) => void ticks.set(vcpu, guest.ticks) }),
    });
    const outside = machine.guests;
    runToEnd(machine);
    for (const [vcpu, seen] of ticks) assert.ok(seen > 0 && seen <= outside[vcpu].ticks);
    assert.equal(ticks.size, 4);
    assert.equal(machine.guests, outside);
  });

  test("can be looked at in the middle of it all, and nothing changes", () => {
    const untouched = JSON.stringify(runToEnd(machineOf(LIKE_EACH_OTHER)));
    let looks = 0;
    const look = (machine: VirtualMachine): void => {
      machine.sample();
      for (const { time } of machine.guests) if (time.readOwn()) looks++;
    };
    // The first are told while it is being built.
    const built: VirtualMachine[] = [];
    const machine = machineOf(LIKE_EACH_OTHER, { observer: observerOf({ told: () => built.forEach(look) }) });
    built.push(machine);
    const { vcpus } = runToEnd(machine);
    assert.ok(looks > 100, `${looks}`);
    const figuresOf = (result: typeof vcpus) => result.map(({ guest, host }) => ({ guest, host }));
    assert.deepEqual(figuresOf(vcpus), figuresOf(JSON.parse(untouched).vcpus));
  });
});
