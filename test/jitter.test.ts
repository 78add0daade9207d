import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ChanceConfig, Workload } from "../src/engine/scenario.js";
import { vcpuStreams } from "../src/engine/virtual/random-streams.js";
import { CpuMode } from "../src/guest/accounting/cpu-time.js";
import { MixedTask } from "../src/guest/workload/mixed-task.js";
import { DutyCycle } from "../src/shared/duty-cycle.js";
import { burstNs, type Jitter } from "../src/shared/jitter.js";
import { NS_PER_MS, NS_PER_SECOND, NS_PER_US, type Ns } from "../src/shared/units.js";
import { assertSound, machineOf, observerOf, runToEnd } from "./virtual-helpers.js";

const PERCENTS = [1, 10, 20, 50];
const SEEDED = { seed: 20100830, numRuns: 300 };

function jitterOf(percent: number, seed = 1): Jitter {
  return { percent, random: vcpuStreams(seed, 1)[0] };
}

/** A stream that always gives its lowest or its highest number. */
function extreme(highest: boolean): Jitter["random"] {
  return { below: (limit) => (highest ? limit - 1 : 0) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Every length lies within so many percent of the nominal one, some lie near both ends, and the mean is the nominal one. */
function assertStrays(lengthsNs: readonly Ns[], nominalNs: Ns, percent: number): void {
  const deviationNs = (nominalNs * percent) / 100;
  const [least, most] = [Math.min(...lengthsNs), Math.max(...lengthsNs)];
  assert.ok(least >= nominalNs - deviationNs && most <= nominalNs + deviationNs, `${least} to ${most} ns`);
  const nearEnd = deviationNs / 20;
  assert.ok(
    least < nominalNs - deviationNs + nearEnd && most > nominalNs + deviationNs - nearEnd,
    `${least} to ${most}`,
  );
  // Of a uniform length the standard deviation is the half-width over sqrt 3: five standard errors.
  const toleranceNs = (5 * deviationNs) / Math.sqrt(3 * lengthsNs.length) + 1;
  assert.ok(Math.abs(mean(lengthsNs) - nominalNs) < toleranceNs, `mean ${mean(lengthsNs)}, nominal ${nominalNs}`);
}

describe("the length of a burst", () => {
  test("without jitter, or with none of it, is the nominal one", () => {
    const anyLength = fc.integer({ min: 1, max: 10 * NS_PER_SECOND });
    fc.assert(
      fc.property(anyLength, (lengthNs) => {
        assert.equal(burstNs(lengthNs, null), lengthNs);
        for (const highest of [false, true])
          assert.equal(burstNs(lengthNs, { percent: 0, random: extreme(highest) }), lengthNs);
      }),
      SEEDED,
    );
  });

  test("goes from as much less to as much more, in whole ns, and is never below half of it", () => {
    const anyLength = fc.integer({ min: 1, max: 10 * NS_PER_SECOND });
    fc.assert(
      fc.property(anyLength, fc.integer({ min: 1, max: 50 }), (lengthNs, percent) => {
        const [least, most] = [false, true].map((highest) => burstNs(lengthNs, { percent, random: extreme(highest) }));
        const deviationNs = Number((BigInt(lengthNs) * BigInt(percent)) / 100n);
        assert.deepEqual([least, most], [lengthNs - deviationNs, lengthNs + deviationNs]);
        assert.ok(least * 2 >= lengthNs && least > 0);
      }),
      SEEDED,
    );
  });

  for (const percent of PERCENTS) {
    test(`at ${percent} % strays by that much, and is right on average`, () => {
      const jitter = jitterOf(percent);
      const lengthsNs = Array.from({ length: 2_000 }, () => burstNs(NS_PER_MS, jitter));
      assert.ok(lengthsNs.every(Number.isInteger));
      assertStrays(lengthsNs, NS_PER_MS, percent);
    });
  }
});

describe("a duty cycle with jitter", () => {
  for (const percent of PERCENTS) {
    test(`of ${percent} %: its bursts stray, the boundaries of its periods do not`, () => {
      const [busyNs, periodNs, startNs] = [3 * NS_PER_MS, 10 * NS_PER_MS, 777];
      const cycle = new DutyCycle(busyNs, periodNs, jitterOf(percent));
      cycle.start(startNs);
      const lengthsNs: Ns[] = [];
      let now = startNs;
      for (let burst = 0; burst < 1_500; burst++) {
        const lengthNs = cycle.remainingNs;
        lengthsNs.push(lengthNs);
        now += lengthNs;
        cycle.ran(lengthNs, now);
        assert.equal(cycle.halted, true);
        assert.equal(cycle.wakeAt, startNs + (burst + 1) * periodNs);
        now = cycle.wakeAt;
        cycle.woken(now);
      }
      assertStrays(lengthsNs, busyNs, percent);
    });
  }
});

describe("a mixed task with jitter", () => {
  const [USER_NS, SYSTEM_NS] = [1_730 * NS_PER_US, 910 * NS_PER_US];

  for (const percent of PERCENTS) {
    test(`of ${percent} %: the bursts of both modes stray by turns`, () => {
      const task = new MixedTask(jitterOf(percent));
      task.start();
      const lengthsNs: Record<number, Ns[]> = { [CpuMode.User]: [], [CpuMode.System]: [] };
      let mode: CpuMode = CpuMode.User;
      for (let burst = 0; burst < 3_000; burst++) {
        assert.equal(task.mode, mode);
        lengthsNs[mode].push(task.remainingNs);
        task.ran(task.remainingNs);
        mode = mode === CpuMode.User ? CpuMode.System : CpuMode.User;
      }
      assertStrays(lengthsNs[CpuMode.User], USER_NS, percent);
      assertStrays(lengthsNs[CpuMode.System], SYSTEM_NS, percent);
    });
  }

  test("is two to one in user mode in whatever pieces it gets its CPU, also of many cycles at once", () => {
    for (const pieceNs of [100 * NS_PER_US, 1_234_567, 7 * (USER_NS + SYSTEM_NS) + 1_000]) {
      const task = new MixedTask(jitterOf(50));
      task.start();
      let user = 0;
      const PIECES = 20_000;
      for (let piece = 0; piece < PIECES; piece++) {
        if (task.mode === CpuMode.User) user++;
        task.ran(pieceNs);
        assert.ok(task.remainingNs > 0);
      }
      const share = user / PIECES;
      assert.ok(Math.abs(share - USER_NS / (USER_NS + SYSTEM_NS)) < 0.02, `${share} in pieces of ${pieceNs}`);
    }
  });
});

describe("jitter in a machine", () => {
  const DUTY = { kind: "duty", busyNs: 2 * NS_PER_MS, periodNs: 5 * NS_PER_MS } as const;
  const MIXED: Workload = { kind: "mixed" };

  function run(workload: Workload, chance: Partial<ChanceConfig>, seed = 0) {
    const burstsNs: Ns[] = [];
    const starts: Ns[] = [];
    const observer = observerOf({
      schedIn: (_vcpu, _pcpu, now) => starts.push(now),
      schedOut: (_vcpu, _state, now) => burstsNs.push(now - (starts.at(-1) ?? 0)),
    });
    const machine = machineOf(
      {
        vcpuCount: 1,
        vcpu: { workload },
        // The last one ends in a halt.
        durationNs: 1_000 * DUTY.periodNs - NS_PER_MS,
        chance: { jitterPercent: 0, wakeLatencyNs: 0, hostNoiseNs: 0, ...chance },
        seed,
      },
      { observer },
    );
    const result = runToEnd(machine);
    assertSound(result);
    const { seed: _, config: __, ...figures } = result;
    return { burstsNs, starts, figures };
  }

  test("alone on its pCPU a duty task's stays are its bursts, from boundary to boundary", () => {
    for (const percent of PERCENTS) {
      const { burstsNs, starts } = run(DUTY, { jitterPercent: percent });
      assert.equal(burstsNs.length, 1_000);
      assertStrays(burstsNs, DUTY.busyNs, percent);
      assert.deepEqual(
        starts,
        starts.map((_, index) => index * DUTY.periodNs),
      );
    }
  });

  for (const workload of [DUTY, MIXED]) {
    test(`${workload.kind}: of 0 % is none, whatever the seed`, () => {
      const none = run(workload, {}).figures;
      assert.deepEqual(run(workload, { jitterPercent: 0 }, 99).figures, none);
      assert.notDeepEqual(run(workload, { jitterPercent: 10 }, 99).figures, none);
    });

    test(`${workload.kind}: of another seed is another run, of the same seed the same`, () => {
      const figures = (seed: number) => run(workload, { jitterPercent: 20 }, seed).figures;
      assert.deepEqual(figures(5), figures(5));
      assert.notDeepEqual(figures(5), figures(6));
    });
  }

  test("latencies are drawn though no length strays", () => {
    const late = run(DUTY, { wakeLatencyNs: 100 * NS_PER_US });
    assert.notDeepEqual(late.figures, run(DUTY, {}).figures);
    // In the guest it is busy for just its burst; the grant that came late is in the stay.
    for (const burstNs of late.burstsNs) assert.ok(burstNs >= DUTY.busyNs && burstNs <= DUTY.busyNs + 100 * NS_PER_US);
  });
});
