import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CpuMode } from "../src/guest/accounting/cpu-time.js";
import { BusyTask } from "../src/guest/workload/busy-task.js";
import { DutyTask } from "../src/guest/workload/duty-task.js";
import { IdleTask } from "../src/guest/workload/idle-task.js";
import { MixedTask } from "../src/guest/workload/mixed-task.js";
import { DutyCycle } from "../src/shared/duty-cycle.js";
import { NS_PER_MS, NS_PER_SECOND, NS_PER_US, type Ns, tickNsecOf } from "../src/shared/units.js";
import { scenarioOf } from "./engine-helpers.js";
import { runVirtually } from "./virtual-helpers.js";

const NEVER = Number.POSITIVE_INFINITY;

describe("a duty cycle of 7 ms in 10", () => {
  const BUSY_NS = 7 * NS_PER_MS;
  const PERIOD_NS = 10 * NS_PER_MS;
  /** Not a multiple of the period: boundaries count from the start, not from 0. */
  const START_NS = 3 * NS_PER_MS;

  function started(): DutyCycle {
    const cycle = new DutyCycle(BUSY_NS, PERIOD_NS);
    cycle.start(START_NS);
    return cycle;
  }

  test("starts busy, and counts CPU time, not elapsed time", () => {
    const cycle = started();
    assert.deepEqual([cycle.halted, cycle.wakeAt, cycle.remainingNs], [false, NEVER, BUSY_NS]);
    cycle.ran(3 * NS_PER_MS, START_NS + 9 * NS_PER_MS);
    assert.deepEqual([cycle.halted, cycle.remainingNs], [false, 4 * NS_PER_MS]);
  });

  test("halts to the next boundary when its time is used", () => {
    const cycle = started();
    cycle.ran(BUSY_NS, START_NS + BUSY_NS);
    assert.deepEqual([cycle.halted, cycle.wakeAt], [true, START_NS + PERIOD_NS]);
  });

  test("skips the boundaries that passed while it was kept from running, and stays on the grid", () => {
    const cycle = started();
    cycle.ran(BUSY_NS, START_NS + 34 * NS_PER_MS);
    assert.equal(cycle.wakeAt, START_NS + 4 * PERIOD_NS);
  });

  test("done just at a boundary, it waits for the one after", () => {
    const cycle = started();
    cycle.ran(BUSY_NS, START_NS + 2 * PERIOD_NS);
    assert.equal(cycle.wakeAt, START_NS + 3 * PERIOD_NS);
  });

  test("woken early it stays halted; on time or late it gets a whole burst", () => {
    for (const lateNs of [0, 25 * NS_PER_MS]) {
      const cycle = started();
      cycle.ran(BUSY_NS + NS_PER_US, START_NS + BUSY_NS + NS_PER_US);
      cycle.woken(START_NS + PERIOD_NS - 1);
      assert.deepEqual([cycle.halted, cycle.wakeAt], [true, START_NS + PERIOD_NS]);
      cycle.woken(START_NS + PERIOD_NS + lateNs);
      // What it ran too long in one period is not taken from the next.
      assert.deepEqual([cycle.halted, cycle.wakeAt, cycle.remainingNs], [false, NEVER, BUSY_NS]);
    }
  });

  test("while halted it uses no CPU, and waking it while it runs changes nothing", () => {
    const cycle = started();
    cycle.ran(NS_PER_MS, START_NS + NS_PER_MS);
    cycle.woken(START_NS + PERIOD_NS);
    assert.equal(cycle.remainingNs, 6 * NS_PER_MS);
    cycle.ran(6 * NS_PER_MS, START_NS + BUSY_NS);
    const { wakeAt, remainingNs } = cycle;
    cycle.ran(NS_PER_MS, START_NS + BUSY_NS + NS_PER_MS);
    assert.deepEqual([cycle.wakeAt, cycle.remainingNs], [wakeAt, remainingNs]);
  });

  test("however late it is served, it wakes on a boundary in the future, within one period", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50 * NS_PER_MS), { minLength: 1 }), (delaysNs) => {
        const cycle = started();
        let now = START_NS;
        for (const delayNs of delaysNs) {
          now += BUSY_NS + delayNs;
          cycle.ran(BUSY_NS, now);
          assert.equal((cycle.wakeAt - START_NS) % PERIOD_NS, 0);
          assert.ok(cycle.wakeAt > now && cycle.wakeAt <= now + PERIOD_NS);
          now = cycle.wakeAt;
          cycle.woken(now);
        }
      }),
    );
  });

  test("as a guest task it is a user task that lets others run", () => {
    const task = new DutyTask(BUSY_NS, PERIOD_NS);
    assert.deepEqual([task.mode, task.preemptible, task.halted], [CpuMode.User, true, false]);
  });

  test("alone on its pCPU it uses 70 % and halts for 30 %, exactly", () => {
    const { vcpus, elapsedNs } = runVirtually(
      scenarioOf({ vcpuCount: 1, vcpu: { workload: { kind: "duty", busyNs: BUSY_NS, periodNs: PERIOD_NS } } }),
    );
    assert.deepEqual([vcpus[0].host.runNs, vcpus[0].host.haltNs], [0.7 * elapsedNs, 0.3 * elapsedNs]);
  });
});

describe("tasks that never change", () => {
  test("a hog, a kernel task and a stuck one always want the CPU, in their mode", () => {
    for (const [mode, preemptible] of [
      [CpuMode.User, true],
      [CpuMode.System, true],
      [CpuMode.System, false],
    ] as const) {
      const task = new BusyTask(mode, preemptible);
      task.start();
      task.ran();
      task.woken();
      assert.deepEqual([task.mode, task.preemptible], [mode, preemptible]);
      assert.deepEqual([task.halted, task.wakeAt, task.remainingNs], [false, NEVER, NEVER]);
    }
  });

  test("an idle one never does", () => {
    const task = new IdleTask();
    task.woken();
    assert.deepEqual([task.mode, task.halted, task.wakeAt], [CpuMode.Idle, true, NEVER]);
  });

  test("each is booked where it belongs", () => {
    const figures = (kind: "hog" | "kernel" | "stuck" | "idle") => {
      const { guest } = runVirtually(scenarioOf({ vcpuCount: 1, vcpu: { workload: { kind } } })).vcpus[0];
      return [guest.userNs, guest.systemNs, guest.idleNs];
    };
    // 300 ms in which every tick is seen: exactly 75 of 4 ms.
    const allNs = 300 * NS_PER_MS;
    assert.deepEqual(figures("hog"), [allNs, 0, 0]);
    assert.deepEqual(figures("kernel"), [0, allNs, 0]);
    assert.deepEqual(figures("stuck"), [0, allNs, 0]);
    assert.deepEqual(figures("idle"), [0, 0, allNs]);
  });
});

describe("a mixed task", () => {
  const USER_NS = 1_730 * NS_PER_US;
  const CYCLE_NS = 2_640 * NS_PER_US;

  test("1.73 ms of user and 0.91 ms of system by turns, in whatever pieces it gets its CPU", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3 * CYCLE_NS)), (piecesNs) => {
        const task = startedMixed();
        let ranNs = 0;
        for (const pieceNs of piecesNs) {
          task.ran(pieceNs);
          ranNs += pieceNs;
          const inCycleNs = ranNs % CYCLE_NS;
          const user = inCycleNs < USER_NS;
          assert.equal(task.mode, user ? CpuMode.User : CpuMode.System);
          assert.equal(task.remainingNs, (user ? USER_NS : CYCLE_NS) - inCycleNs);
        }
      }),
    );
  });

  for (const hz of [100, 250, 300, 1000] as const) {
    test(`ticks at ${hz} Hz see both modes in proportion`, () => {
      const tickNsec = tickNsecOf(hz);
      // Ticks visit positions in the cycle that lie one greatest common divisor apart, each once in so many ticks. The
      // share of those in the user burst is off by less than one position.
      const spacingNs = greatestCommonDivisor(tickNsec, CYCLE_NS);
      const ticks = CYCLE_NS / spacingNs;
      const task = startedMixed();
      let userTicks = 0;
      for (let tick = 0; tick < ticks; tick++) {
        task.ran(tickNsec);
        if (task.mode === CpuMode.User) userTicks++;
      }
      assert.ok(Math.abs(userTicks / ticks - USER_NS / CYCLE_NS) < spacingNs / CYCLE_NS, `${userTicks} of ${ticks}`);
      // And that is close: no more than 3 % at any frequency.
      assert.ok(spacingNs / CYCLE_NS < 0.031);
    });

    test(`and so does a whole guest at ${hz} Hz, over 10 s`, () => {
      const { guest } = runVirtually(
        scenarioOf({ vcpuCount: 1, hz, durationNs: 10 * NS_PER_SECOND, vcpu: { workload: { kind: "mixed" } } }),
      ).vcpus[0];
      const userShare = guest.userNs / (guest.userNs + guest.systemNs);
      assert.ok(Math.abs(userShare - USER_NS / CYCLE_NS) < 0.031, `${userShare}`);
    });
  }
});

function startedMixed(): MixedTask {
  const task = new MixedTask(null);
  task.start();
  return task;
}

function greatestCommonDivisor(a: Ns, b: Ns): Ns {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
