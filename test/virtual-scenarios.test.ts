import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RunResult, VcpuResult } from "../src/engine/result.js";
import type { AccountingName, HostTaskConfig, Scenario, Workload } from "../src/engine/scenario.js";
import { defaultPvclockAddress } from "../src/guest/build-guest-cpu.js";
import { LedgerState } from "../src/host/ledger.js";
import { weightOfNice } from "../src/host/weights.js";
import { MSR_KVM_SYSTEM_TIME_NEW } from "../src/shared/kvm-abi.js";
import {
  FLAG_STEAL_MS,
  FLAG_STEAL_NS,
  flagsOf,
  PAGE_WORDS,
  SHIFT_AND_FLAGS_WORD,
  STEAL_MS_WORD,
} from "../src/shared/pvclock-page.js";
import { U64 } from "../src/shared/u64.js";
import { NS_PER_MS, NS_PER_SECOND, NS_PER_US, type Ns, TWO_POW_32 } from "../src/shared/units.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { checkerOf, runVirtually } from "./virtual-helpers.js";

/** Whole machines whose truth can be worked out on paper. By default slices of 4 ms and ticks of 4 ms on one pCPU. */

const SLICE_NS = 4 * NS_PER_MS;
const TICK_NS = 4 * NS_PER_MS;
const HOST_HOG: HostTaskConfig = { workload: { kind: "hog" }, nice: 0, pcpus: null };
const IDLE: Workload = { kind: "idle" };
const ACCOUNTINGS: readonly AccountingName[] = ["none", "rfc-v2", "mainline"];
const WITH_STEAL: readonly AccountingName[] = ["rfc-v2", "mainline"];

function run(changes: ScenarioChanges, options?: LockstepOptions): RunResult {
  const result = runVirtually(scenarioOf(changes), options);
  assertSound(result);
  return result;
}

/** A run of one vCPU. */
function runOne(changes: ScenarioChanges): VcpuResult {
  return run({ vcpuCount: 1, ...changes }).vcpus[0];
}

function assertSound({ invariants }: RunResult): void {
  assert.deepEqual(
    invariants.filter(({ status }) => status === "broken"),
    [],
  );
}

function assertWithin(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, expected ${expected} +- ${tolerance}`);
}

describe("a vCPU and a hog of the host take turns", () => {
  test("the ledger says 50 % run and 50 % wait to the ns; nobody halts", () => {
    const { host } = runOne({ hostTasks: [HOST_HOG], durationNs: 800 * NS_PER_MS });
    assert.deepEqual([host.runNs, host.waitNs, host.haltNs, host.offlineNs], [400 * NS_PER_MS, 400 * NS_PER_MS, 0, 0]);
    assert.deepEqual([host.outOfGuestNs, host.wait.maxNs], [400 * NS_PER_MS, SLICE_NS]);
  });

  for (const accounting of WITH_STEAL) {
    for (const measure of ["out-of-guest", "wait"] as const) {
      test(`${accounting}, ${measure}: and so does the guest`, () => {
        const { guest } = runOne({ hostTasks: [HOST_HOG], durationNs: 800 * NS_PER_MS, accounting, measure });
        assert.deepEqual([guest.userNs, guest.stealNs], [400 * NS_PER_MS, 400 * NS_PER_MS]);
        assert.deepEqual([guest.systemNs, guest.idleNs, guest.stealDroppedIdleNs], [0, 0, 0]);
        assert.deepEqual([guest.ticks, guest.lostTicks], [200, 0]);
      });
    }
  }

  test("none: every tick is the guest's own, that of its absence included", () => {
    const { guest } = runOne({ hostTasks: [HOST_HOG], durationNs: 800 * NS_PER_MS, accounting: "none" });
    assert.deepEqual([guest.userNs, guest.stealNs, guest.stealEnabled], [800 * NS_PER_MS, 0, false]);
  });

  for (const [nice, percent] of [
    [5, "24.7"],
    [-5, "75.3"],
  ] as const) {
    const durationNs = 10 * NS_PER_SECOND;
    const stolenShare = weightOfNice(nice) / (weightOfNice(nice) + weightOfNice(0));

    test(`the hog at nice ${nice}: true steal follows the weights, ${percent} %`, () => {
      const { host } = runOne({ hostTasks: [{ ...HOST_HOG, nice }], durationNs });
      assert.equal((100 * stolenShare).toFixed(1), percent);
      // Of two that share by weight neither is ever more than one slice away from its due.
      assertWithin(host.waitNs, stolenShare * durationNs, SLICE_NS, "wait");
      assert.equal(host.runNs + host.waitNs, durationNs);
    });

    for (const accounting of WITH_STEAL) {
      test(`the hog at nice ${nice}: ${accounting} sees it`, () => {
        const { guest, host } = runOne({ hostTasks: [{ ...HOST_HOG, nice }], durationNs, accounting });
        // Steal is seen at the next tick, so all but the last absence, and that one may be in progress. In slices of
        // whole ticks each one in guest has a tick of its own: user time is off by the one at the end.
        assert.ok(guest.stealNs <= host.waitNs);
        assertWithin(guest.stealNs, host.waitNs, host.wait.maxNs, "steal");
        assertWithin(guest.userNs, host.runNs, TICK_NS, "user");
      });
    }
  }
});

describe("four hogs on one pCPU", () => {
  const DURATION_NS = 1_600 * NS_PER_MS;

  for (const accounting of ACCOUNTINGS) {
    test(`${accounting}: 75 % of each one's time is stolen, to the ns`, () => {
      for (const { host } of run({ vcpuCount: 4, durationNs: DURATION_NS, accounting }).vcpus) {
        assert.deepEqual([host.runNs, host.waitNs], [DURATION_NS / 4, (3 * DURATION_NS) / 4]);
      }
    });
  }

  for (const accounting of WITH_STEAL) {
    test(`${accounting}: each of them sees it, none 100 %`, () => {
      for (const { guest } of run({ vcpuCount: 4, durationNs: DURATION_NS, accounting }).vcpus) {
        assert.equal(guest.userNs, DURATION_NS / 4);
        // The absence in progress at the end is not seen yet: it is three slices at most.
        assertWithin(guest.stealNs, (3 * DURATION_NS) / 4, 3 * SLICE_NS, "steal");
        assertWithin(guest.lostTicks, DURATION_NS / TICK_NS / 2, 2, "lost ticks");
      }
    });
  }

  test("none: half of the ticks are lost, and that time is nowhere", () => {
    for (const { guest } of run({ vcpuCount: 4, durationNs: DURATION_NS, accounting: "none" }).vcpus) {
      assert.equal(guest.userNs, DURATION_NS / 2);
    }
  });
});

describe("an idle guest beside a hog of the host", () => {
  const DURATION_NS = 10 * NS_PER_SECOND;
  const idle = (accounting: AccountingName, measure: Scenario["measure"]) =>
    runOne({ vcpu: { workload: IDLE }, hostTasks: [HOST_HOG], durationNs: DURATION_NS, accounting, measure });

  test("was halted all the time: it runs for no time at all when a timer wakes it", () => {
    const { host } = idle("rfc-v2", "out-of-guest");
    assert.deepEqual([host.haltNs, host.runNs, host.waitNs], [DURATION_NS, 0, 0]);
  });

  for (const [accounting, measure] of [
    ["none", "out-of-guest"],
    ["none", "wait"],
    ["rfc-v2", "out-of-guest"],
    ["rfc-v2", "wait"],
    ["mainline", "wait"],
  ] as const) {
    test(`${accounting}, ${measure}: 0 % steal, 100 % idle`, () => {
      const { guest } = idle(accounting, measure);
      assert.deepEqual([guest.stealNs, guest.idleNs, guest.userNs, guest.systemNs], [0, DURATION_NS, 0, 0]);
      assert.equal(guest.lostTicks, 0);
    });
  }

  // It wakes at 4 s and 8 s for its watchdog: up to then the page has been read.
  const PUBLISHED_NS = 8 * NS_PER_SECOND;

  test("rfc-v2 drops the halted time that the host publishes; measured as wait there is none to drop", () => {
    assert.equal(idle("rfc-v2", "out-of-guest").guest.stealDroppedIdleNs, PUBLISHED_NS);
    assert.equal(idle("rfc-v2", "wait").guest.stealDroppedIdleNs, 0);
  });

  test("mainline takes halted time for steal when the host publishes it as the RFC's host does", () => {
    const { guest } = idle("mainline", "out-of-guest");
    // Each 4 s of halt are 999 ticks and an entry tick. They hold no more than 3.996 s, so the steal leaves nothing of
    // them but the entry tick; the last 2 s are not published yet.
    assert.deepEqual([guest.stealNs, guest.idleNs], [PUBLISHED_NS, DURATION_NS - PUBLISHED_NS + 2 * TICK_NS]);
  });
});

describe("a vCPU that is woken while another has the pCPU", () => {
  const KICK_LATENCY_NS = NS_PER_MS;
  const BURSTS = 30;
  /** 1 ms in 10; the other, a hog, takes 1 ms to leave when it is kicked. Ends half-way through a halt. */
  function woken(accounting: AccountingName, measure: Scenario["measure"]): { duty: VcpuResult; elapsedNs: Ns } {
    const base = scenarioOf({ durationNs: (BURSTS * 10 - 5) * NS_PER_MS, accounting, measure });
    const [duty, hog] = base.vcpus;
    const workload = { kind: "duty", busyNs: NS_PER_MS, periodNs: 10 * NS_PER_MS } as const;
    const result = runVirtually(
      { ...base, vcpus: [{ ...duty, workload }, hog] },
      { kickLatencyNs: () => KICK_LATENCY_NS },
    );
    assertSound(result);
    return { duty: result.vcpus[0], elapsedNs: result.elapsedNs };
  }
  // The first burst starts at t0, at once; each later one is woken and waits for the hog to leave.
  const WAITED_NS = (BURSTS - 1) * KICK_LATENCY_NS;

  test("waits from its wake-up on, and has been halted only up to there", () => {
    const { duty, elapsedNs } = woken("rfc-v2", "out-of-guest");
    const { runNs, waitNs, haltNs, wait } = duty.host;
    const ranNs = BURSTS * NS_PER_MS;
    assert.deepEqual([runNs, waitNs, haltNs], [ranNs, WAITED_NS, elapsedNs - ranNs - WAITED_NS]);
    assert.equal(wait.maxNs, KICK_LATENCY_NS);
  });

  test("measured as wait, mainline accounts just that as steal, and rfc-v2 drops it: its under-report", () => {
    const mainline = woken("mainline", "wait").duty.guest;
    assert.deepEqual([mainline.stealNs, mainline.stealDroppedIdleNs], [WAITED_NS, 0]);
    const rfc = woken("rfc-v2", "wait").duty.guest;
    assert.deepEqual([rfc.stealNs, rfc.stealDroppedIdleNs], [0, WAITED_NS]);
  });

  test("measured as out-of-guest, what is published is halted time and wait together", () => {
    const { guest, host } = woken("rfc-v2", "out-of-guest").duty;
    // All but the halt in progress at the end was published and dropped.
    const lastHaltNs = host.outOfGuestNs - guest.stealDroppedIdleNs;
    assert.equal(guest.stealNs, 0);
    assert.ok(lastHaltNs > 0 && lastHaltNs < 10 * NS_PER_MS, `${lastHaltNs}`);
  });
});

describe("the page when the vCPU enters", () => {
  for (const measure of ["out-of-guest", "wait"] as const) {
    test(`${measure}: already holds the absence that ends with this entry`, () => {
      const duty = { kind: "duty", busyNs: 3 * NS_PER_MS, periodNs: 10 * NS_PER_MS } as const;
      const scenario = scenarioOf({ measure, stealUnit: "ns", hostTasks: [HOST_HOG] });
      const machine = new VirtualMachine({
        ...scenario,
        vcpus: scenario.vcpus.map((vcpu, id) => (id === 0 ? { ...vcpu, workload: duty } : vcpu)),
      });
      let compared = 0;
      machine.onInstant = () => {
        machine.host.ledger.vcpus.forEach((account, vcpu) => {
          if (account.state !== LedgerState.Run) return;
          const measuredNs = measure === "wait" ? account.waitNs : account.outOfGuestNs;
          assert.equal(machine.host.publisher.pageOf(vcpu).stealNs, measuredNs);
          compared++;
        });
      };
      assertSound(machine.finish());
      assert.ok(compared > 100);
    });
  }

  test("so the guest's first tick inside takes it: nothing published is left over", () => {
    const machine = new VirtualMachine(scenarioOf({ stealUnit: "ns" }));
    machine.onInstant = (now) => {
      machine.host.ledger.vcpus.forEach((account, vcpu) => {
        // Each 4 ms out hold a deadline, so the entry takes a tick.
        if (account.state !== LedgerState.Run || now === 0) return;
        assert.equal(machine.guests[vcpu].time.stealClock.takenNs, account.outOfGuestNs);
      });
    };
    machine.finish();
  });
});

describe("pinned vCPUs under the kernel before patch 2", () => {
  const pinned = (update: Scenario["update"]) =>
    run({ vcpuCount: 2, vcpu: { pcpus: [0] }, durationNs: 800 * NS_PER_MS, update });

  test("pcpu-change: no more is seen than what came before the first entry; 50 % is true", () => {
    for (const { guest, host, page } of pinned({ kind: "pcpu-change" }).vcpus) {
      assert.equal(host.waitNs, 400 * NS_PER_MS);
      assert.ok(guest.stealNs <= SLICE_NS, `${guest.stealNs}`);
      // At registration and at the first entry.
      assert.equal(page.updates, 2);
      assert.ok(host.entries >= 100);
    }
  });

  for (const update of [{ kind: "entry" }, { kind: "periodic", periodNs: NS_PER_MS }] as const) {
    test(`${update.kind}: 50 % is seen`, () => {
      for (const { guest, host, page } of pinned(update).vcpus) {
        assert.equal(host.waitNs, 400 * NS_PER_MS);
        assertWithin(guest.stealNs, host.waitNs, SLICE_NS, "steal");
        if (update.kind === "entry") assert.equal(page.updates, host.entries + 1);
        // Each ms in guest refreshes it once more, but for those that fall on the end of a slice.
        else assert.ok(page.updates > 3 * host.entries, `${page.updates}`);
      }
    });
  }

  test("pcpu-change with a vCPU that does change its pCPU: it sees new steal whenever it moves", () => {
    const { vcpus } = run({ vcpuCount: 3, pcpus: 2, update: { kind: "pcpu-change" }, durationNs: NS_PER_SECOND });
    for (const { host, page } of vcpus) assert.equal(page.updates, (host.migrations ?? 0) + 2);
    assert.ok(vcpus.some(({ host }) => (host.migrations ?? 0) > 0));
  });
});

describe("slices shorter than a tick: 1 ms in, 1 ms out", () => {
  const DURATION_NS = 800 * NS_PER_MS;
  const shortSlices = (accounting: AccountingName) =>
    runOne({ sliceNs: NS_PER_MS, hostTasks: [HOST_HOG], durationNs: DURATION_NS, accounting });

  for (const accounting of ACCOUNTINGS) {
    test(`${accounting}: 50 % is stolen, and no tick is lost`, () => {
      const { guest, host } = shortSlices(accounting);
      assert.deepEqual([host.runNs, host.waitNs], [DURATION_NS / 2, DURATION_NS / 2]);
      assert.deepEqual([guest.ticks, guest.lostTicks], [DURATION_NS / TICK_NS, 0]);
    });
  }

  test("none: 100 % user", () => {
    assert.deepEqual(shortSlices("none").guest.userNs, DURATION_NS);
  });

  test("rfc-v2: 100 % steal, since every tick finds some: the amount is right, the user time beside it is gone", () => {
    const { guest } = shortSlices("rfc-v2");
    assert.equal(guest.userNs, 0);
    // What was stolen after the last tick is not seen yet: half of it at most, rounded up to slices.
    assertWithin(guest.stealNs, DURATION_NS / 2, TICK_NS / 2, "steal");
  });

  test("mainline: 50 %, each tick divided", () => {
    const { guest } = shortSlices("mainline");
    assert.equal(guest.userNs + guest.stealNs, DURATION_NS);
    assertWithin(guest.stealNs, DURATION_NS / 2, TICK_NS / 2, "steal");
  });
});

describe("the units of the steal field", () => {
  for (const sliceNs of [150 * NS_PER_US, 999_999, 1_000_001, 3_141_593]) {
    for (const accounting of WITH_STEAL) {
      test(`${accounting}, slices of ${sliceNs} ns: ms and ns agree to less than 1 ms`, () => {
        const [ms, ns] = (["ms", "ns"] as const).map((stealUnit) =>
          run({ vcpuCount: 3, sliceNs, accounting, stealUnit, durationNs: NS_PER_SECOND }),
        );
        ns.vcpus.forEach((inNs, id) => {
          const inMs = ms.vcpus[id];
          assert.deepEqual(inMs.host, inNs.host);
          const differenceNs = inNs.guest.stealNs - inMs.guest.stealNs;
          assert.ok(differenceNs >= 0 && differenceNs < NS_PER_MS, `${differenceNs}`);
        });
      });
    }
  }

  test("slices far below 1 ms are not lost in ms: the running total is rounded, never a slice", () => {
    const sliceNs = 100 * NS_PER_US;
    const { vcpus } = run({ vcpuCount: 4, sliceNs, durationNs: NS_PER_SECOND });
    for (const { guest, host } of vcpus) {
      assert.equal(host.waitNs, 0.75 * NS_PER_SECOND);
      // Not seen yet is what came after the last tick or entry, and up to 1 ms that is no whole ms.
      assertWithin(guest.stealNs, host.waitNs, TICK_NS + 3 * sliceNs + NS_PER_MS, "steal");
    }
  });

  test("the ms field wraps after 49.71 days of steal, and the guest counts on", () => {
    // A vCPU at nice 19 beside a hog at nice -20: 15 of 88,776 parts are its own, some 13 min in 52 days.
    const scenario = scenarioOf({
      vcpuCount: 1,
      vcpu: { nice: 19 },
      hostTasks: [{ ...HOST_HOG, nice: -20 }],
      sliceNs: 30 * NS_PER_SECOND,
      durationNs: 52 * 86_400 * NS_PER_SECOND,
      hz: 100,
      accounting: "mainline",
    });
    const machine = new VirtualMachine(scenario);
    const result = machine.finish();
    assertSound(result);
    const { guest, host, page } = result.vcpus[0];
    const publishedMs = machine.host.publisher.pageOf(0).stealNs / NS_PER_MS;
    assert.ok(publishedMs > TWO_POW_32);
    assert.equal(page.stealMs, Math.floor(publishedMs) % TWO_POW_32);
    // Slices are whole seconds, so nothing is rounded: all that was published was taken.
    assert.equal(guest.stealNs, publishedMs * NS_PER_MS);
    assert.equal(guest.userNs, host.runNs);
    assert.equal(guest.softlockups.reported, 0);
  });
});

const WHOLE_RUN_NS = 800 * NS_PER_MS;
/** Two hogs in turns of 4 ms: vCPU 0 has the pCPU in the first half of every 8 ms. This instant is in one. */
const WHILE_VCPU_0_RUNS_NS = 202 * NS_PER_MS;
const MISALIGNED_GPA = 4_096 + 4;

/** Two hogs of which vCPU 0 asks for a page at an address that no host accepts. */
function refusedAtBoot(): Lockstep {
  const scenario = scenarioOf({ durationNs: WHOLE_RUN_NS });
  return new VirtualMachine({
    ...scenario,
    vcpus: scenario.vcpus.map((vcpu, id) => (id === 0 ? { ...vcpu, gpa: MISALIGNED_GPA } : vcpu)),
  });
}

function stealMsOnPage({ ram, host }: Lockstep, vcpu: number): number {
  return Atomics.load(ram, host.publisher.pageOf(vcpu).base + STEAL_MS_WORD) >>> 0;
}

describe("a guest whose page is refused", () => {
  test("goes on without steal on an unregistered clock; its neighbour is not affected", () => {
    const result = refusedAtBoot().finish();
    assertSound(result);
    const [refused, neighbour] = result.vcpus;
    assert.match(refused.page.refused ?? "", /not aligned/);
    assert.deepEqual([refused.page.gpa, refused.page.updates, refused.reads.consistent], [null, 0, 0]);
    assert.equal(refused.clock.monitored, 0);
    assert.deepEqual([refused.guest.stealEnabled, refused.guest.stealNs], [false, 0]);
    // 50 % is stolen and none of it is known: every tick is its own.
    assert.equal(refused.host.waitNs, WHOLE_RUN_NS / 2);
    assert.equal(refused.guest.userNs, WHOLE_RUN_NS);
    assertWithin(neighbour.guest.stealNs, WHOLE_RUN_NS / 2, SLICE_NS, "the neighbour's steal");
  });

  test("its clock is the timer's, which stays correct", () => {
    const machine = refusedAtBoot();
    machine.runUntil(WHILE_VCPU_0_RUNS_NS);
    assert.equal(machine.guests[0].time.registered, false);
    assert.equal(machine.guests[0].time.nowNs(WHILE_VCPU_0_RUNS_NS), WHILE_VCPU_0_RUNS_NS);
  });

  test("registering late starts the page's steal at 0, and counts all that comes after", () => {
    const machine = refusedAtBoot();
    machine.runUntil(WHILE_VCPU_0_RUNS_NS);
    const outBeforeNs = machine.host.ledger.vcpus[0].outOfGuestNs;
    assert.equal(outBeforeNs, 100 * NS_PER_MS);
    machine.guests[0].time.register(defaultPvclockAddress(2, 0), true);
    assert.equal(machine.host.publisher.pageOf(0).stealNs, 0);
    assert.equal(stealMsOnPage(machine, 0), 0);
    const result = machine.finish();
    assertSound(result);
    const { guest, host, page } = result.vcpus[0];
    assert.equal(guest.stealNs, host.outOfGuestNs - outBeforeNs);
    assert.equal(page.stealMs * NS_PER_MS, guest.stealNs);
  });
});

describe("a guest that gives its page back", () => {
  function twoHogs(): Lockstep {
    const machine = new VirtualMachine(scenarioOf({ durationNs: WHOLE_RUN_NS }));
    machine.runUntil(WHILE_VCPU_0_RUNS_NS);
    return machine;
  }

  test("by writing 0 to the MSR: not a bit of it changes any more", () => {
    const machine = twoHogs();
    const { base } = machine.host.publisher.pageOf(0);
    assert.equal(machine.hypercallsOf(0).writeMsr(MSR_KVM_SYSTEM_TIME_NEW, new U64()), true);
    const words = () => [...machine.ram.subarray(base, base + PAGE_WORDS)];
    const before = words();
    machine.runUntil(2 * WHILE_VCPU_0_RUNS_NS);
    assert.deepEqual(words(), before);
    assert.equal(machine.host.publisher.pageOf(0).base, -1);
  });

  test("may use its memory for something else: nothing that stands there is taken for steal", () => {
    const machine = twoHogs();
    const { time, cpuTime } = machine.guests[0];
    const { base } = machine.host.publisher.pageOf(0);
    time.unregister();
    const stealBeforeNs = cpuTime.stealNs;
    // An even version, the flag still in its place, and a number where the steal was.
    Atomics.add(machine.ram, base + STEAL_MS_WORD, 1_000);
    machine.runUntil(2 * WHILE_VCPU_0_RUNS_NS);
    assert.equal(cpuTime.stealNs, stealBeforeNs);
  });

  test("and takes it again, as for a CPU that was offline: what was stolen in between is no jump of steal", () => {
    const machine = twoHogs();
    const { time, cpuTime } = machine.guests[0];
    const outOfGuestNs = () => machine.host.ledger.vcpus[0].outOfGuestNs;
    time.unregister();
    const [stealBeforeNs, outBeforeNs] = [cpuTime.stealNs, outOfGuestNs()];
    assert.equal(stealBeforeNs, outBeforeNs);

    machine.runUntil(WHILE_VCPU_0_RUNS_NS + 200 * NS_PER_MS);
    const missedNs = outOfGuestNs() - outBeforeNs;
    assert.deepEqual([cpuTime.stealNs, missedNs], [stealBeforeNs, 100 * NS_PER_MS]);
    assert.equal(time.registered, false);

    time.register(defaultPvclockAddress(2, 0), true);
    // The host has counted on since the first registration; the guest begins with what it finds.
    assert.equal(stealMsOnPage(machine, 0) * NS_PER_MS, outOfGuestNs());
    assert.equal(cpuTime.stealNs, stealBeforeNs);
    const result = machine.finish();
    assertSound(result);
    assert.equal(result.vcpus[0].guest.stealNs, result.vcpus[0].host.outOfGuestNs - missedNs);
  });

  test("and takes another one at once: steal goes on from where it was, on the new page alone", () => {
    const machine = twoHogs();
    const { time } = machine.guests[0];
    const oldBase = machine.host.publisher.pageOf(0).base;
    time.unregister();
    time.register(defaultPvclockAddress(2, 0) + 1_024, true);
    const version = Atomics.load(machine.ram, oldBase);
    const result = machine.finish();
    assertSound(result);
    assert.equal(Atomics.load(machine.ram, oldBase), version);
    // Nothing was stolen between the two, while it ran.
    assert.equal(result.vcpus[0].guest.stealNs, result.vcpus[0].host.outOfGuestNs);
  });
});

describe("a host that does not offer steal", () => {
  for (const stealUnit of ["ms", "ns"] as const) {
    test(`unit ${stealUnit}: the page is a clock and nothing else, and the guest knows`, () => {
      const machine = new VirtualMachine(scenarioOf({ stealFeature: false, stealUnit, durationNs: WHOLE_RUN_NS }));
      const result = machine.finish();
      assertSound(result);
      for (const { id, guest, host, page, clock } of result.vcpus) {
        assert.deepEqual([guest.stealEnabled, guest.stealNs, guest.stealDroppedIdleNs], [false, 0, 0]);
        assert.deepEqual([host.waitNs, guest.userNs], [WHOLE_RUN_NS / 2, WHOLE_RUN_NS]);
        const word = Atomics.load(machine.ram, machine.host.publisher.pageOf(id).base + SHIFT_AND_FLAGS_WORD);
        assert.equal(flagsOf(word) & (FLAG_STEAL_MS | FLAG_STEAL_NS), 0);
        assert.deepEqual([page.stealMs, page.stealNs], [0, null]);
        assert.equal(page.updates, host.entries + 1);
        assert.ok(clock.monitored > 0);
      }
    });
  }
});
