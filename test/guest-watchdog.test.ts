import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Scenario } from "../src/engine/scenario.js";
import { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { SoftlockupWatchdog, type WatchdogMode } from "../src/guest/softlockup-watchdog.js";
import { FLAG_GUEST_STOPPED, flagsOf, SHIFT_AND_FLAGS_WORD } from "../src/shared/pvclock-page.js";
import { NS_PER_MS, NS_PER_SECOND, type Ns } from "../src/shared/units.js";
import { setGuestStopped } from "../src/shared/version-protocol.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { runToEnd, runVirtually, virtually } from "./virtual-helpers.js";

const MODES: readonly WatchdogMode[] = ["plain", "steal-aware"];

describe("the watchdog's sample timer", () => {
  test("is never due before it is started", () => {
    const watchdog = new SoftlockupWatchdog("plain", 20, 4);
    assert.equal(watchdog.nextSample, Number.POSITIVE_INFINITY);
    assert.equal(watchdog.sampleDue(Number.MAX_SAFE_INTEGER), false);
  });

  test("goes off every period from its start; those missed are skipped, and it stays on the grid", () => {
    const watchdog = new SoftlockupWatchdog("plain", 20, 4);
    watchdog.start(3, 1_003, 0);
    assert.deepEqual([watchdog.sampleDue(6), watchdog.nextSample], [false, 7]);
    assert.deepEqual([watchdog.sampleDue(7), watchdog.nextSample], [true, 11]);
    assert.equal(watchdog.sampleDue(7), false, "once");
    assert.deepEqual([watchdog.sampleDue(22), watchdog.nextSample], [true, 23]);
    assert.deepEqual([watchdog.sampleDue(27), watchdog.nextSample], [true, 31], "two at once are one");
  });
});

describe("the check in the tick", () => {
  /** Threshold 20, last touched at 100, when 7 had been stolen. */
  function touchedAt100(mode: WatchdogMode): SoftlockupWatchdog {
    const watchdog = new SoftlockupWatchdog(mode, 20, 4);
    watchdog.start(0, 0, 0);
    watchdog.touch(100, 7);
    return watchdog;
  }

  function check(watchdog: SoftlockupWatchdog, now: Ns, stolenNs: Ns): { reported: number; suppressed: number } {
    watchdog.check(now, stolenNs);
    return { reported: watchdog.reported, suppressed: watchdog.suppressed };
  }

  for (const mode of MODES) {
    test(`${mode}: a stamp older than the threshold is reported, one just as old is not`, () => {
      const watchdog = touchedAt100(mode);
      assert.deepEqual(check(watchdog, 120, 7), { reported: 0, suppressed: 0 });
      assert.deepEqual(check(watchdog, 121, 7), { reported: 1, suppressed: 0 });
    });

    test(`${mode}: a stall is reported once, however long; a touch ends it, and the next one is reported again`, () => {
      const watchdog = touchedAt100(mode);
      for (const now of [121, 125, 10_000]) assert.deepEqual(check(watchdog, now, 7), { reported: 1, suppressed: 0 });
      watchdog.touch(10_001, 7);
      assert.deepEqual(check(watchdog, 10_021, 7), { reported: 1, suppressed: 0 });
      assert.deepEqual(check(watchdog, 10_022, 7), { reported: 2, suppressed: 0 });
    });

    test(`${mode}: starting it is its first touch`, () => {
      const watchdog = new SoftlockupWatchdog(mode, 20, 4);
      watchdog.start(3, 1_003, 5);
      assert.deepEqual(check(watchdog, 1_023, 5), { reported: 0, suppressed: 0 });
      assert.deepEqual(check(watchdog, 1_024, 5), { reported: 1, suppressed: 0 });
    });
  }

  test("plain does not look at steal", () => {
    assert.deepEqual(check(touchedAt100("plain"), 121, 28), { reported: 1, suppressed: 0 });
  });

  test("steal-aware leaves out what was stolen since the touch, and nothing that was stolen before it", () => {
    assert.deepEqual(check(touchedAt100("steal-aware"), 121, 7 + 1), { reported: 0, suppressed: 1 });
    assert.deepEqual(check(touchedAt100("steal-aware"), 121, 7), { reported: 1, suppressed: 0 });
    // 50 of 71 ns stolen leave 21.
    assert.deepEqual(check(touchedAt100("steal-aware"), 171, 7 + 50), { reported: 1, suppressed: 0 });
    assert.deepEqual(check(touchedAt100("steal-aware"), 170, 7 + 50), { reported: 0, suppressed: 1 });
  });

  test("a stall that steal explains is counted once; when it lasts on without, its count moves to the reports", () => {
    const watchdog = touchedAt100("steal-aware");
    assert.deepEqual(check(watchdog, 125, 7 + 10), { reported: 0, suppressed: 1 });
    assert.deepEqual(check(watchdog, 129, 7 + 10), { reported: 0, suppressed: 1 });
    assert.deepEqual(check(watchdog, 131, 7 + 10), { reported: 1, suppressed: 0 });
    assert.deepEqual(check(watchdog, 500, 7 + 400), { reported: 1, suppressed: 0 }, "reported once, it stays so");
  });

  test("a touch ends a suppressed stall as well: its count stands, and the next one is counted anew", () => {
    const watchdog = touchedAt100("steal-aware");
    check(watchdog, 125, 7 + 10);
    watchdog.touch(126, 17);
    assert.deepEqual(check(watchdog, 150, 17 + 10), { reported: 0, suppressed: 2 });
    assert.deepEqual(check(watchdog, 157, 17 + 10), { reported: 1, suppressed: 1 });
  });

  test("a touch by itself is no stall and resets no count", () => {
    const watchdog = touchedAt100("steal-aware");
    for (let now = 110; now < 1_000; now += 10) {
      watchdog.touch(now, 7);
      assert.deepEqual(check(watchdog, now + 10, 7), { reported: 0, suppressed: 0 });
    }
  });

  test("both modes agree on how many stalls there were; steal-aware reports no stall that plain does not", () => {
    const arbStep = fc.record({ elapsedNs: fc.nat(30), stolenShare: fc.double({ min: 0, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(fc.record({ step: arbStep, touch: fc.boolean() })), (steps) => {
        const [plain, aware] = MODES.map((mode) => touchedAt100(mode));
        let now = 100;
        let stolenNs = 7;
        for (const { step, touch } of steps) {
          now += step.elapsedNs;
          stolenNs += Math.floor(step.elapsedNs * step.stolenShare);
          for (const watchdog of [plain, aware]) {
            if (touch) watchdog.touch(now, stolenNs);
            else watchdog.check(now, stolenNs);
          }
          assert.ok(aware.reported <= plain.reported);
          assert.equal(aware.reported + aware.suppressed, plain.reported);
          assert.equal(plain.suppressed, 0);
        }
      }),
    );
  });
});

const SLICE_NS = 4 * NS_PER_MS;
const TICK_NS = 4 * NS_PER_MS;
const THRESHOLD_NS = 200 * NS_PER_MS;

function watchdogOf(mode: WatchdogMode): Scenario["watchdog"] {
  return { mode, thresholdNs: THRESHOLD_NS, periodNs: 40 * NS_PER_MS };
}

/** One vCPU alone on its pCPU, for 3 s, but for what is changed. */
function oneVcpu(mode: WatchdogMode, changes: ScenarioChanges): Scenario {
  return scenarioOf({ vcpuCount: 1, durationNs: 3 * NS_PER_SECOND, watchdog: watchdogOf(mode), ...changes });
}

const HOST_HOG = { workload: { kind: "hog" }, nice: 0, pcpus: null } as const;

/** Out for 300 ms and in for 300 ms by turns: each absence is longer than the threshold. */
const LONG_SLICES: ScenarioChanges = { sliceNs: 300 * NS_PER_MS, hostTasks: [HOST_HOG] };

function lockupsOf(scenario: Scenario): { reported: number; suppressed: number } {
  return runVirtually(scenario).vcpus[0].guest.softlockups;
}

describe("a vCPU that is kept out for longer than the threshold", () => {
  // Of 3 s, 5 absences end before the run does; the end of the run is the entry after the last of them.
  const ABSENCES = 5;

  for (const accounting of ["rfc-v2", "mainline"] as const) {
    test(`${accounting}: is reported each time by plain, though nothing is wrong in it`, () => {
      const bogus = lockupsOf(oneVcpu("plain", { ...LONG_SLICES, accounting }));
      assert.deepEqual(bogus, { reported: ABSENCES, suppressed: 0 });
    });

    test(`${accounting}: is not by steal-aware: the same tick takes the steal first`, () => {
      const { reported, suppressed } = lockupsOf(oneVcpu("steal-aware", { ...LONG_SLICES, accounting }));
      assert.deepEqual({ reported, suppressed }, { reported: 0, suppressed: ABSENCES });
    });
  }

  test("accounting none has no steal to leave out: steal-aware reports as plain does", () => {
    for (const mode of MODES) {
      const lockups = lockupsOf(oneVcpu(mode, { ...LONG_SLICES, accounting: "none" }));
      assert.deepEqual(lockups, { reported: ABSENCES, suppressed: 0 }, mode);
    }
  });

  test("a host without the steal feature leaves steal-aware nothing to leave out either", () => {
    const lockups = lockupsOf(oneVcpu("steal-aware", { ...LONG_SLICES, stealFeature: false }));
    assert.deepEqual(lockups, { reported: ABSENCES, suppressed: 0 });
  });

  test("idle, it is never reported: nothing of it was kept waiting", () => {
    for (const mode of MODES) {
      const lockups = lockupsOf(oneVcpu(mode, { ...LONG_SLICES, vcpu: { workload: { kind: "idle" } } }));
      assert.deepEqual(lockups, { reported: 0, suppressed: 0 }, mode);
    }
  });

  test("halted for long by itself, it is never reported either", () => {
    const workload = { kind: "duty", busyNs: NS_PER_MS, periodNs: NS_PER_SECOND } as const;
    // The watchdog's own timer would end the halt: its period is longer here.
    const watchdog = { ...watchdogOf("plain"), periodNs: 10 * NS_PER_SECOND };
    assert.deepEqual(lockupsOf(oneVcpu("plain", { vcpu: { workload }, watchdog })), { reported: 0, suppressed: 0 });
  });
});

describe("a task that lets the watchdog run", () => {
  for (const kind of ["hog", "kernel", "mixed"] as const) {
    test(`${kind}: never reported, alone or under 50 % steal in short slices`, () => {
      for (const mode of MODES) {
        for (const hostTasks of [[], [HOST_HOG]]) {
          const lockups = lockupsOf(oneVcpu(mode, { vcpu: { workload: { kind } }, hostTasks }));
          assert.deepEqual(lockups, { reported: 0, suppressed: 0 }, mode);
        }
      }
    });
  }
});

/** When vCPU 0 first reported a soft lockup, or null. */
function firstReportAt(scenario: Scenario, prepare: (machine: VirtualMachine) => void = () => {}): Ns | null {
  const machine = new VirtualMachine(virtually(scenario));
  prepare(machine);
  let firstAt: Ns | null = null;
  const before = machine.onInstant;
  machine.onInstant = (now) => {
    before?.(now);
    if (firstAt === null && machine.guests[0].watchdog.reported > 0) firstAt = now;
  };
  machine.run(scenario.durationNs);
  return firstAt;
}

describe("a stuck task", () => {
  const STUCK: ScenarioChanges = { vcpu: { workload: { kind: "stuck" } } };

  for (const mode of MODES) {
    test(`${mode}: is reported once, in the first tick after the threshold`, () => {
      const scenario = oneVcpu(mode, STUCK);
      assert.deepEqual(lockupsOf(scenario), { reported: 1, suppressed: 0 });
      const at = firstReportAt(scenario) ?? 0;
      assert.ok(at > THRESHOLD_NS && at <= THRESHOLD_NS + TICK_NS, `at ${at}`);
    });
  }

  // What steal-aware must wait for is threshold / (1 - steal share), on average over whole rounds of slices. It is
  // found in a tick, so up to a tick or an absence later, and the ms field may hold back one ms of steal.
  for (const [nice, stolenShare] of [
    [0, 0.5],
    [5, 335 / 1359],
    [-5, 3121 / 4145],
  ]) {
    const percent = (100 * stolenShare).toFixed(1);
    for (const accounting of ["rfc-v2", "mainline"] as const) {
      test(`${accounting}: under ${percent} % steal it is reported too, later by just what was stolen`, () => {
        const scenario = oneVcpu("steal-aware", { ...STUCK, accounting, hostTasks: [{ ...HOST_HOG, nice }] });
        assert.deepEqual(lockupsOf(scenario), { reported: 1, suppressed: 0 });
        const at = firstReportAt(scenario) ?? 0;
        const expectedNs = THRESHOLD_NS / (1 - stolenShare);
        const longestOutNs = SLICE_NS * Math.ceil(stolenShare / (1 - stolenShare));
        const toleranceNs = longestOutNs + SLICE_NS + TICK_NS + NS_PER_MS;
        assert.ok(Math.abs(at - expectedNs) <= toleranceNs, `at ${at}, expected ${expectedNs} +- ${toleranceNs}`);
      });
    }

    test(`plain: under ${percent} % steal it is reported at the threshold, as if that time were its own`, () => {
      const scenario = oneVcpu("plain", { ...STUCK, hostTasks: [{ ...HOST_HOG, nice }] });
      const at = firstReportAt(scenario) ?? 0;
      // The first tick after the threshold can be one that waits for the vCPU to come back.
      const longestOutNs = SLICE_NS * Math.ceil(stolenShare / (1 - stolenShare));
      assert.ok(at > THRESHOLD_NS && at <= THRESHOLD_NS + TICK_NS + longestOutNs, `at ${at}`);
    });
  }

  test("a guest that its host had stopped starts anew: the stall counts from when it found out", () => {
    const STOPPED_AT_NS = 150 * NS_PER_MS;
    let base = -1;
    let stoppedYet = false;
    const at = firstReportAt(oneVcpu("plain", STUCK), (machine) => {
      base = machine.host.publisher.pageOf(0).base;
      machine.onInstant = (now) => {
        if (stoppedYet || now < STOPPED_AT_NS) return;
        stoppedYet = true;
        setGuestStopped(machine.ram, base);
      };
    });
    // Found out in the first tick after it, and reported in the first after the threshold from there.
    const earliestNs = STOPPED_AT_NS + THRESHOLD_NS;
    assert.ok(at !== null && at > earliestNs && at <= earliestNs + 3 * TICK_NS, `at ${at}`);
  });

  test("the guest clears the bit when it has taken note: once stopped is one touch", () => {
    const machine = new VirtualMachine(virtually(oneVcpu("plain", STUCK)));
    const { base } = machine.host.publisher.pageOf(0);
    const stoppedBit = () => flagsOf(machine.ram[base + SHIFT_AND_FLAGS_WORD]) & FLAG_GUEST_STOPPED;
    machine.run(100 * NS_PER_MS);
    setGuestStopped(machine.ram, base);
    assert.notEqual(stoppedBit(), 0);
    machine.run(110 * NS_PER_MS);
    assert.equal(stoppedBit(), 0);
    assert.equal(runToEnd(machine).vcpus[0].guest.softlockups.reported, 1);
  });
});
