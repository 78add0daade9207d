import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Measure, StealUnit, TimelineEvent } from "../src/engine/scenario.js";
import type { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { CpuidRegisters } from "../src/shared/kvm-abi.js";
import { FLAG_GUEST_STOPPED, FLAG_STEAL_MS, FLAG_STEAL_NS } from "../src/shared/pvclock-page.js";
import { tscRateOf } from "../src/shared/tsc.js";
import { MAX_TIME_NS, NS_PER_MS, NS_PER_US, type Ns } from "../src/shared/units.js";
import type { ScenarioChanges } from "./engine-helpers.js";
import { assertSound, machineOf, observerOf, pageOf, runToEnd } from "./virtual-helpers.js";

/** A machine that is moved to another host. By default two hogs on one pCPU, in turns of 4 ms. */

const SLICE_NS = 4 * NS_PER_MS;
const TSC_KHZ = 2_600_000;
const FEATURES = 0x4000_0001;
const MOVE_NS = 20 * NS_PER_MS;
const STEAL_FLAGS = FLAG_STEAL_MS | FLAG_STEAL_NS;
const UNITS: readonly StealUnit[] = ["ms", "ns"];

function moveAt(atNs: Ns, stealFeature = true, tscKhz = TSC_KHZ): TimelineEvent {
  return { kind: "migrate", atNs, forNs: MOVE_NS, stealFeature, tscKhz };
}

/** The three feature bits that CPUID has for a guest: the clock's, the RFC's steal and the ns extension's. */
function featuresOf(machine: VirtualMachine): { clock: boolean; ms: boolean; ns: boolean } {
  const registers = new CpuidRegisters();
  machine.hypercallsOf(0).cpuid(FEATURES, registers);
  const has = (bit: number): boolean => (registers.eax & (1 << bit)) !== 0;
  return { clock: has(3), ms: has(4), ns: has(30) };
}

function stealFlagsOf(machine: VirtualMachine, vcpu: number): number {
  return pageOf(machine, vcpu).flags & STEAL_FLAGS;
}

function assertWithin(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, expected ${expected} +- ${tolerance}`);
}

describe("a guest that is moved to a host without steal time, and on to one with it", () => {
  const THERE_NS = 100 * NS_PER_MS;
  const BACK_NS = 300 * NS_PER_MS;
  const TIMELINE = [moveAt(THERE_NS, false), moveAt(BACK_NS, true)];
  const travellers = (changes: ScenarioChanges = {}) =>
    machineOf({ timeline: TIMELINE, durationNs: 500 * NS_PER_MS, accounting: "mainline", ...changes });

  for (const stealUnit of UNITS) {
    const offered = { clock: true, ms: true, ns: stealUnit === "ns" };
    const flags = FLAG_STEAL_MS | (stealUnit === "ns" ? FLAG_STEAL_NS : 0);

    test(`unit ${stealUnit}: CPUID and the page say what each host offers`, () => {
      const machine = travellers({ stealUnit });
      machine.run(THERE_NS + MOVE_NS - 1);
      assert.deepEqual(featuresOf(machine), offered);
      for (const vcpu of [0, 1]) {
        assert.equal(stealFlagsOf(machine, vcpu), flags);
        assert.ok(pageOf(machine, vcpu).stealMs > 0);
      }
      // The first vCPU enters at the instant itself, the other a slice later.
      machine.run(THERE_NS + MOVE_NS + SLICE_NS);
      assert.deepEqual(featuresOf(machine), { clock: true, ms: false, ns: false });
      for (const vcpu of [0, 1]) {
        assert.equal(stealFlagsOf(machine, vcpu), 0);
        // pad0, as before the RFC.
        assert.equal(pageOf(machine, vcpu).stealMs, 0);
      }
      machine.run(BACK_NS + MOVE_NS + SLICE_NS);
      assert.deepEqual(featuresOf(machine), offered);
      for (const vcpu of [0, 1]) assert.equal(stealFlagsOf(machine, vcpu), flags);
      assertSound(runToEnd(machine));
    });

    for (const measure of ["out-of-guest", "wait"] as const satisfies readonly Measure[]) {
      test(`unit ${stealUnit}, ${measure}: accounts nothing in between, and its return is no jump of steal`, () => {
        const machine = travellers({ stealUnit, measure });
        const stealOf = () => machine.guests.map(({ cpuTime }) => cpuTime.stealNs);
        const activeOf = () => machine.guests.map(({ time }) => time.stealClock.active);

        machine.run(THERE_NS + MOVE_NS - 1);
        const left = stealOf();
        assert.ok(Math.min(...left) > 40 * NS_PER_MS);
        assert.deepEqual(activeOf(), [true, true]);
        machine.run(BACK_NS - 1);
        assert.deepEqual([stealOf(), activeOf()], [left, [false, false]]);

        const result = runToEnd(machine);
        assertSound(result);
        assert.deepEqual(activeOf(), [true, true]);
        const sinceNs = 500 * NS_PER_MS - BACK_NS - MOVE_NS;
        result.vcpus.forEach(({ guest, host }, id) => {
          // Half of the time since its return was stolen, and no more is taken.
          assertWithin(guest.stealNs - left[id], sinceNs / 2, 3 * SLICE_NS);
          assert.equal(machine.guests[id].time.stealClock.stretches.length, 2);
          // The page counts on as if it had been written all the time.
          const measuredNs = measure === "wait" ? host.waitNs : host.outOfGuestNs;
          assertWithin(machine.host.publisher.pageOf(id).stealNs, measuredNs, SLICE_NS);
          assert.ok(measuredNs - guest.stealNs > 80 * NS_PER_MS);
        });
      });
    }
  }

  test("the plain tick takes all of the time in between: without the feature every tick is the guest's own", () => {
    const machine = travellers();
    machine.run(THERE_NS + MOVE_NS + SLICE_NS);
    const before = machine.guests.map(({ cpuTime, ticks }) => ({ userNs: cpuTime.userNs, ticks }));
    machine.run(BACK_NS - 1);
    machine.guests.forEach(({ cpuTime, ticks }, vcpu) => {
      assert.equal(cpuTime.userNs - before[vcpu].userNs, (ticks - before[vcpu].ticks) * SLICE_NS);
      assert.ok(ticks - before[vcpu].ticks > 20);
    });
  });

  test("one that booted where there is none does not begin to account it: CPUID was asked at boot", () => {
    for (const stealUnit of UNITS) {
      const machine = machineOf({ stealFeature: false, stealUnit, timeline: [moveAt(50 * NS_PER_MS, true)] });
      machine.run(200 * NS_PER_MS);
      assert.notEqual(stealFlagsOf(machine, 0), 0);
      const result = runToEnd(machine);
      assertSound(result);
      for (const { guest, page } of result.vcpus) {
        assert.deepEqual([guest.stealEnabled, guest.stealNs], [false, 0]);
        assert.ok(page.stealMs > 100);
      }
    }
  });
});

describe("a guest that is moved to a processor with another TSC", () => {
  const AT_NS = 100 * NS_PER_MS;
  const MOVED_NS = AT_NS + MOVE_NS;

  test("finds its multiplier and shift in the page when it enters, and in no page that still waits", () => {
    const machine = machineOf({ timeline: [moveAt(AT_NS, true, 1_000_003)] });
    const rateOf = (vcpu: number) => {
      const { tscToSystemMul, tscShift } = pageOf(machine, vcpu);
      return { tscToSystemMul, tscShift };
    };
    machine.run(MOVED_NS);
    const entered = machine.host.ledger.vcpus.findIndex(({ state }) => state === 0);
    const [old, fresh] = [tscRateOf(TSC_KHZ), tscRateOf(1_000_003)];
    assert.deepEqual([rateOf(entered), rateOf(1 - entered)], [fresh, old]);
    machine.run(MOVED_NS + SLICE_NS);
    assert.deepEqual([rateOf(0), rateOf(1)], [fresh, fresh]);
    assertSound(runToEnd(machine));
  });

  test("its TSC goes on from where it stood", () => {
    const machine = machineOf({ timeline: [moveAt(AT_NS, true, 1_000_003)] });
    machine.run(MOVED_NS);
    const entered = machine.host.ledger.vcpus.findIndex(({ state }) => state === 0);
    const { tscTimestamp, systemTimeNs } = pageOf(machine, entered);
    assert.equal(systemTimeNs, BigInt(MOVED_NS));
    assert.equal(tscTimestamp, (BigInt(MOVED_NS) * BigInt(TSC_KHZ)) / 1_000_000n);
    machine.run(MOVED_NS + SLICE_NS);
    const later = pageOf(machine, 1 - entered);
    assert.equal(later.tscTimestamp - tscTimestamp, (BigInt(SLICE_NS) * 1_000_003n) / 1_000_000n);
  });

  test("its page is written anew also by a host that does so on a change of pCPU alone", () => {
    const changes = {
      vcpu: { pcpus: [0] },
      update: { kind: "pcpu-change" },
      timeline: [moveAt(AT_NS, true, 1_999_999)],
    } as const;
    const machine = machineOf(changes);
    machine.run(MOVED_NS - 1);
    const updatesOf = () => [0, 1].map((vcpu) => machine.host.publisher.pageOf(vcpu).updates);
    assert.deepEqual(updatesOf(), [2, 2]);
    machine.run(MOVED_NS + SLICE_NS);
    assert.deepEqual(updatesOf(), [3, 3]);
    for (const vcpu of [0, 1]) assert.equal(pageOf(machine, vcpu).tscToSystemMul, tscRateOf(1_999_999).tscToSystemMul);
    const result = runToEnd(machine);
    assertSound(result);
    assert.deepEqual(updatesOf(), [3, 3]);
  });

  test("one that is halted all through the move finds the new page when it is woken", () => {
    const watchdog = { mode: "plain", thresholdNs: 400 * NS_PER_MS, periodNs: 150 * NS_PER_MS } as const;
    const timeline = [moveAt(AT_NS, true, 3_900_000)];
    const machine = machineOf({ vcpuCount: 1, vcpu: { workload: { kind: "idle" } }, watchdog, timeline });
    machine.run(150 * NS_PER_MS - 1);
    assert.equal(pageOf(machine, 0).tscToSystemMul, tscRateOf(TSC_KHZ).tscToSystemMul);
    assert.notEqual(pageOf(machine, 0).flags & FLAG_GUEST_STOPPED, 0);
    machine.run(150 * NS_PER_MS);
    assert.equal(pageOf(machine, 0).tscToSystemMul, tscRateOf(3_900_000).tscToSystemMul);
    assert.equal(pageOf(machine, 0).flags & FLAG_GUEST_STOPPED, 0);
    const result = runToEnd(machine);
    assertSound(result);
    assert.equal(result.vcpus[0].host.haltNs, result.elapsedNs);
  });

  test("its clocks are those of the host to within the arithmetic, before and after, and never step back", () => {
    const anyKhz = fc.oneof(
      fc.integer({ min: 100_000, max: 10_000_000 }),
      fc.constantFrom(100_000, 999_999, 2_599_998),
    );
    const anyUpdate = fc.constantFrom(
      { kind: "entry" } as const,
      { kind: "pcpu-change" } as const,
      { kind: "steal-entry" } as const,
    );
    const startAt = fc.constantFrom(0, 12_345_678_901, MAX_TIME_NS - 1_000 * NS_PER_MS);
    fc.assert(
      fc.property(fc.array(anyKhz, { minLength: 2, maxLength: 4 }), anyUpdate, startAt, (khz, update, startAtNs) => {
        const [tscKhz, ...next] = khz;
        const timeline = next.map((each, which) => moveAt((which + 1) * 60 * NS_PER_MS, true, each));
        const slowestKhz = Math.min(...khz);
        let looks = 0;
        const observer = observerOf({
          told: (_vcpu, { time }, now) => {
            // Stamp and reading each lose less than a cycle, in opposite directions; scaling rounds down.
            const cycleNs = Math.ceil(1_000_000 / slowestKhz);
            time.nowNs(now);
            const behindNs = now - time.kvmclock.rawNs;
            assert.ok(behindNs >= -cycleNs && behindNs <= cycleNs + 2, `${behindNs} ns behind, a cycle is ${cycleNs}`);
            looks++;
          },
        });
        const machine = machineOf(
          { vcpuCount: 3, pcpus: 2, tscKhz, timeline, update, startAtNs, sliceNs: 500 * NS_PER_US },
          { observer },
        );
        const result = runToEnd(machine);
        assertSound(result);
        assert.ok(looks > 200, `${looks} looks`);
        for (const { clock } of result.vcpus) assert.equal(clock.backwardSteps, 0);
      }),
      { seed: 20100830, numRuns: 60 },
    );
  });
});
