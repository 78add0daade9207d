import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { RunResult } from "../src/engine/result.js";
import type { AccountingName, Measure, TimelineEvent, Workload } from "../src/engine/scenario.js";
import type { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { LedgerState } from "../src/host/ledger.js";
import { OutState } from "../src/host/sched-notifier.js";
import { PAGE_WORDS } from "../src/shared/pvclock-page.js";
import { NS_PER_MS, NS_PER_US, type Ns, tickNsecOf } from "../src/shared/units.js";
import type { ScenarioChanges } from "./engine-helpers.js";
import { assertSound, checkerOf, machineOf, observerOf, runToEnd } from "./virtual-helpers.js";

/** CPUs that go offline and online again. By default two hogs on one pCPU: vCPU 0 has the first half of every 8 ms. */

const SLICE_NS = 4 * NS_PER_MS;
const TICK_NS = 4 * NS_PER_MS;
const ACCOUNTINGS: readonly AccountingName[] = ["none", "rfc-v2", "mainline"];
const MEASURES: readonly Measure[] = ["out-of-guest", "wait"];

/** vCPU 0 is to be offline from then on for so long. */
function offline(atNs: Ns, forNs: Ns): TimelineEvent {
  return { kind: "offline", atNs, forNs, vcpu: 0 };
}

/** While vCPU 0 was away: from when it left to its first page again; Infinity while it has none. */
interface Absence {
  readonly fromNs: Ns;
  toNs: Ns;
}

interface Plugged {
  readonly machine: VirtualMachine;
  /** vCPU 0's, in order. */
  readonly absences: readonly Absence[];
}

function pluggedMachine(timeline: readonly TimelineEvent[], changes: ScenarioChanges = {}): Plugged {
  const absences: Absence[] = [];
  const observer = observerOf({
    schedOut: (vcpu, state, now) => {
      if (vcpu === 0 && state === OutState.Offline) absences.push({ fromNs: now, toNs: Number.POSITIVE_INFINITY });
    },
    // Registered again, its page is written at once.
    published: (vcpu, _version, _stealNs, now) => {
      const last = absences.at(-1);
      if (vcpu === 0 && last?.toNs === Number.POSITIVE_INFINITY) last.toNs = now;
    },
  });
  const machine = machineOf({ durationNs: 400 * NS_PER_MS, timeline, ...changes }, { observer });
  return { machine, absences };
}

/** Tick deadlines of vCPU 0 that are not in an absence. One at its first instant is taken on the way out. */
function deadlinesOnline({ machine, absences }: Plugged, result: RunResult): number {
  const { startNs, scenario } = machine;
  const tickNsec = tickNsecOf(scenario.hz);
  const { tickPhaseNs } = scenario.vcpus[0];
  const endNs = startNs + result.elapsedNs;
  let deadlines = 0;
  for (let at = startNs + (tickPhaseNs > 0 ? tickPhaseNs : tickNsec); at <= endNs; at += tickNsec) {
    if (!absences.some(({ fromNs, toNs }) => fromNs < at && at <= toNs)) deadlines++;
  }
  return deadlines;
}

/** What vCPU 0 waited while it was online, and while it was not. */
class WaitsOnline {
  onlineNs: Ns = 0;
  offlineNs: Ns = 0;
  #seenNs: Ns = 0;

  constructor({ machine, absences }: Plugged) {
    machine.onInstant = (now) => {
      const waitedNs = machine.host.ledger.vcpus[0].totalNs(LedgerState.Wait, now);
      const last = absences.at(-1);
      // What grew up to now belongs to the time before now.
      const wasOffline = last !== undefined && last.fromNs < now && now <= last.toNs;
      if (wasOffline) this.offlineNs += waitedNs - this.#seenNs;
      else this.onlineNs += waitedNs - this.#seenNs;
      this.#seenNs = waitedNs;
    };
  }
}

describe("a busy CPU that goes offline and comes back", () => {
  const EVENT = offline(105 * NS_PER_MS, 95 * NS_PER_MS);

  for (const accounting of ACCOUNTINGS) {
    for (const measure of MEASURES) {
      test(`${accounting}, ${measure}: the ledger says offline for just that long, and nothing of it is the guest's`, () => {
        const plugged = pluggedMachine([EVENT], { accounting, measure });
        const { machine, absences } = plugged;
        const waits = new WaitsOnline(plugged);
        const result = runToEnd(machine);
        assertSound(result);
        const { guest, host, clock } = result.vcpus[0];

        assert.equal(host.offlineNs, EVENT.forNs);
        assert.equal(absences.length, 1);
        // It ran when it was to go, and waits for a pCPU when it is to come back.
        assert.equal(absences[0].fromNs, EVENT.atNs);
        assert.equal(absences[0].toNs, EVENT.atNs + EVENT.forNs + waits.offlineNs);
        assert.ok(waits.offlineNs <= SLICE_NS);

        assert.equal(host.waitNs, waits.onlineNs + waits.offlineNs);
        assert.ok(guest.stealNs <= waits.onlineNs, `${guest.stealNs} ns of ${waits.onlineNs}`);
        // Not seen: what came after the last tick before each end of its time online.
        if (accounting !== "none") assert.ok(waits.onlineNs - guest.stealNs <= 2 * (SLICE_NS + NS_PER_MS));
        assert.equal(guest.stealEnabled, accounting !== "none");

        assert.equal(guest.ticks + guest.lostTicks, deadlinesOnline(plugged, result));
        assert.equal(clock.backwardSteps, 0);
        // The neighbour had the pCPU for itself.
        const neighbour = result.vcpus[1].host;
        assert.equal(neighbour.runNs, result.elapsedNs - host.runNs);
        assert.equal(neighbour.offlineNs, 0);
      });
    }
  }

  test("its steal is a new baseline: the first look at the page takes nothing", () => {
    for (const measure of MEASURES) {
      for (const stealUnit of ["ms", "ns"] as const) {
        const { machine } = pluggedMachine([EVENT], { measure, stealUnit });
        machine.run(EVENT.atNs - 1);
        const { stealClock } = machine.guests[0].time;
        const before = stealClock.takenNs;
        assert.ok(before > 0);
        machine.run(EVENT.atNs + EVENT.forNs - 1);
        assert.equal(stealClock.active, false);
        machine.run(EVENT.atNs + EVENT.forNs + SLICE_NS);
        assert.equal(stealClock.active, true);
        assert.equal(stealClock.takenNs, before);
        assert.equal(stealClock.stretches.length, 2);
        assert.equal(stealClock.stretches[1].takenNs, 0);
        // The page counts on from the first registration.
        const { outOfGuestNs, waitNs } = machine.host.ledger.vcpus[0];
        const measuredNs = measure === "wait" ? waitNs : outOfGuestNs;
        assert.equal(machine.host.publisher.pageOf(0).stealNs, measuredNs);
        assertSound(runToEnd(machine));
      }
    }
  });

  test("meanwhile the host writes nothing to its page, which the guest may use for something else", () => {
    const JUNK = 0x2a5a_5a5b;
    const update = { kind: "periodic", periodNs: NS_PER_MS } as const;
    const { machine } = pluggedMachine([EVENT], { update });
    const { base } = machine.host.publisher.pageOf(0);
    const page = () => [...machine.ram.subarray(base, base + PAGE_WORDS)];
    machine.run(EVENT.atNs);
    assert.equal(machine.host.publisher.pageOf(0).base, -1);
    const left = page();
    machine.run(EVENT.atNs + EVENT.forNs / 2);
    assert.deepEqual(page(), left);

    machine.ram.fill(JUNK, base, base + PAGE_WORDS);
    machine.run(EVENT.atNs + EVENT.forNs - 1);
    assert.deepEqual(page(), new Array<number>(PAGE_WORDS).fill(JUNK));

    const before = machine.guests[0].cpuTime.stealNs;
    machine.run(EVENT.atNs + EVENT.forNs + SLICE_NS + NS_PER_MS / 2);
    // Junk with an odd version: the first update closes it.
    const { updates } = checkerOf(machine).witnesses[0].log;
    assert.equal(machine.ram[base], JUNK + 3 + 2 * (updates - 1));
    assert.equal(machine.guests[0].cpuTime.stealNs, before);
    assertSound(runToEnd(machine));
  });

  test("is told to nobody while it is away: other CPUs find no page of it", () => {
    const { machine } = pluggedMachine([EVENT]);
    machine.run(EVENT.atNs + NS_PER_MS);
    const { time } = machine.guests[1];
    time.readRemote();
    assert.equal(time.remoteReads, 0);
    machine.run(EVENT.atNs + EVENT.forNs + SLICE_NS);
    // The other one is itself in turn.
    time.readRemote();
    time.readRemote();
    assert.equal(time.remoteReads, 1);
  });

  for (const mode of ["plain", "steal-aware"] as const) {
    test(`the ${mode} watchdog says nothing, though it was away for longer than the threshold`, () => {
      const watchdog = { mode, thresholdNs: 50 * NS_PER_MS, periodNs: 10 * NS_PER_MS };
      const { machine } = pluggedMachine([EVENT], { watchdog });
      const { guest } = runToEnd(machine).vcpus[0];
      assert.deepEqual(guest.softlockups, { reported: 0, suppressed: 0 });
    });
  }

  test("its clock goes on, by as much as it was away", () => {
    const { machine } = pluggedMachine([EVENT]);
    const clockNs = (at: Ns): Ns => {
      machine.run(at);
      return machine.guests[0].time.nowNs(machine.now);
    };
    const [leaving, away, back] = [EVENT.atNs - 1, EVENT.atNs + NS_PER_MS, EVENT.atNs + EVENT.forNs + SLICE_NS].map(
      (at) => ({ at, ns: clockNs(at) }),
    );
    assert.ok(leaving.ns < away.ns && away.ns < back.ns);
    assert.ok(Math.abs(back.ns - leaving.ns - (back.at - leaving.at)) <= 2);
  });
});

describe("when a CPU goes offline", () => {
  test("a halted one does at once: its kernel wakes it for that", () => {
    const idle: Workload = { kind: "idle" };
    const event = offline(103_456_789, 50 * NS_PER_MS);
    const plugged = pluggedMachine([event], { vcpuCount: 1, vcpu: { workload: idle }, accounting: "mainline" });
    const result = runToEnd(plugged.machine);
    assertSound(result);
    const { guest, host } = result.vcpus[0];
    assert.deepEqual([host.runNs, host.waitNs, host.offlineNs], [0, 0, event.forNs]);
    assert.equal(host.haltNs, result.elapsedNs - event.forNs);
    assert.deepEqual(plugged.absences, [{ fromNs: event.atNs, toNs: event.atNs + event.forNs }]);
    assert.equal(guest.ticks, deadlinesOnline(plugged, result));
    assert.equal(guest.lostTicks, 0);
  });

  test("one that waits for a pCPU does when it has one, and is back when it was to be", () => {
    // It has the pCPU from 104 ms on.
    const event = offline(101 * NS_PER_MS, 60 * NS_PER_MS);
    const plugged = pluggedMachine([event]);
    const result = runToEnd(plugged.machine);
    assertSound(result);
    assert.equal(plugged.absences[0].fromNs, 104 * NS_PER_MS);
    assert.equal(result.vcpus[0].host.offlineNs, event.forNs - 3 * NS_PER_MS);
    assert.equal(result.vcpus[0].guest.ticks + result.vcpus[0].guest.lostTicks, deadlinesOnline(plugged, result));
  });

  test("one that was to be back before it could go is offline for no time, and not before it went", () => {
    const event = offline(101 * NS_PER_MS, NS_PER_MS);
    const plugged = pluggedMachine([event]);
    const result = runToEnd(plugged.machine);
    assertSound(result);
    const [absence, ...more] = plugged.absences;
    assert.deepEqual(more, []);
    assert.equal(absence.fromNs, 104 * NS_PER_MS);
    // It left its pCPU for it, and has to wait for the next turn.
    assert.ok(absence.toNs >= absence.fromNs && absence.toNs <= absence.fromNs + SLICE_NS, `${absence.toNs}`);
    assert.equal(result.vcpus[0].host.offlineNs, 0);
    assert.equal(result.vcpus[0].guest.ticks + result.vcpus[0].guest.lostTicks, deadlinesOnline(plugged, result));
  });

  test("several times in a row, one right after the other", () => {
    const events = [
      offline(50 * NS_PER_MS, 10 * NS_PER_MS),
      offline(60 * NS_PER_MS, 10 * NS_PER_MS),
      offline(70 * NS_PER_MS + 1, 30 * NS_PER_MS),
      offline(200 * NS_PER_MS, 100 * NS_PER_MS),
    ];
    for (const accounting of ACCOUNTINGS) {
      const plugged = pluggedMachine(events, { accounting });
      const result = runToEnd(plugged.machine);
      assertSound(result);
      const { guest, host } = result.vcpus[0];
      assert.equal(plugged.absences.length, events.length);
      assert.ok(plugged.absences.every(({ fromNs, toNs }, which) => fromNs >= events[which].atNs && toNs >= fromNs));
      // None is offline before it has the pCPU to do so; each is wanted back when its time is over.
      const spansNs = plugged.absences.map(({ fromNs }, which) =>
        Math.max(0, events[which].atNs + events[which].forNs - fromNs),
      );
      assert.equal(
        host.offlineNs,
        spansNs.reduce((sum, ns) => sum + ns, 0),
      );
      assert.equal(guest.ticks + guest.lostTicks, deadlinesOnline(plugged, result));
    }
  });

  test("at the instant of a tick: that one is taken, and the one at which it is back is nobody's", () => {
    // vCPU 0's ticks are 1 ms after every 4 ms; it has the pCPU from 104 to 108 ms.
    const plugged = pluggedMachine([offline(105 * NS_PER_MS, 40 * NS_PER_MS)], {
      vcpuCount: 1,
      vcpu: { tickPhaseNs: NS_PER_MS },
    });
    plugged.machine.run(105 * NS_PER_MS);
    assert.equal(plugged.machine.guests[0].ticks, 27);
    plugged.machine.run(145 * NS_PER_MS);
    assert.deepEqual(
      plugged.absences.map(({ toNs }) => toNs),
      [145 * NS_PER_MS],
    );
    assert.equal(plugged.machine.guests[0].ticks, 27);
    plugged.machine.run(149 * NS_PER_MS);
    assert.equal(plugged.machine.guests[0].ticks, 28);
    const result = runToEnd(plugged.machine);
    const { guest } = result.vcpus[0];
    assert.deepEqual([guest.ticks, guest.lostTicks], [deadlinesOnline(plugged, result), 0]);
    assert.equal(guest.userNs, guest.ticks * TICK_NS);
  });

  test("and is offline when the run ends: what it was offline is in the ledger, and no tick is lost for it", () => {
    const plugged = pluggedMachine([offline(105 * NS_PER_MS, NS_PER_MS * 1_000)]);
    const result = runToEnd(plugged.machine);
    assertSound(result);
    const { guest, host, page } = result.vcpus[0];
    assert.equal(host.offlineNs, result.elapsedNs - 105 * NS_PER_MS);
    assert.equal(page.gpa, null);
    assert.equal(guest.ticks + guest.lostTicks, deadlinesOnline(plugged, result));
  });
});

const anyWorkload: fc.Arbitrary<Workload> = fc.oneof(
  fc.constantFrom<Workload[]>({ kind: "hog" }, { kind: "mixed" }, { kind: "idle" }, { kind: "kernel" }),
  fc
    .record({
      busyNs: fc.integer({ min: 10 * NS_PER_US, max: 5 * NS_PER_MS }),
      restNs: fc.integer({ min: 1, max: 9 * NS_PER_MS }),
    })
    .map(({ busyNs, restNs }) => ({ kind: "duty", busyNs, periodNs: busyNs + restNs }) as const),
);

/** Events of one vCPU in order of time, none before the one in front of it is over; many meet slices and ticks. */
const anyTimeline: fc.Arbitrary<TimelineEvent[]> = fc
  .array(
    fc.record({
      gapNs: fc.oneof(fc.constantFrom(0, 1, NS_PER_MS, 3 * NS_PER_MS, SLICE_NS), fc.nat(30 * NS_PER_MS)),
      forNs: fc.oneof(fc.constantFrom(1, NS_PER_MS, SLICE_NS), fc.integer({ min: 1, max: 60 * NS_PER_MS })),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((spans) => {
    let at = 0;
    return spans.map(({ gapNs, forNs }) => {
      const atNs = at + gapNs;
      at = atNs + forNs;
      return offline(atNs, forNs);
    });
  });

test("whatever it does and whenever it is to be offline: the books are right, and no deadline counts that was nobody's", () => {
  fc.assert(
    fc.property(
      anyTimeline,
      anyWorkload,
      fc.record({
        accounting: fc.constantFrom(...ACCOUNTINGS),
        measure: fc.constantFrom(...MEASURES),
        stealUnit: fc.constantFrom("ms", "ns"),
        pcpus: fc.constantFrom(1, 2),
        hz: fc.constantFrom(100, 250, 300, 1000),
        startAtNs: fc.constantFrom(0, 1, 12_345_678),
      }),
      fc.constantFrom(0, 30 * NS_PER_US, 3 * NS_PER_MS),
      (timeline, workload, changes, latencyNs) => {
        const chance = { jitterPercent: 0, wakeLatencyNs: latencyNs, hostNoiseNs: latencyNs };
        const plugged = pluggedMachine(timeline, { vcpu: { workload }, chance, ...changes });
        const waits = new WaitsOnline(plugged);
        const result = runToEnd(plugged.machine);
        assertSound(result);
        const { guest, host, clock } = result.vcpus[0];
        assert.equal(guest.ticks + guest.lostTicks, deadlinesOnline(plugged, result));
        assert.equal(clock.backwardSteps, 0);
        assert.equal(guest.softlockups.reported, 0);
        if (changes.measure === "wait") {
          const { stretches } = plugged.machine.guests[0].time.stealClock;
          // A difference of whole ms can be up to 1 ms more than that of the ns.
          const roundingNs = changes.stealUnit === "ms" ? stretches.length * NS_PER_MS : 0;
          const tooMuchNs = guest.stealNs + guest.stealDroppedIdleNs - waits.onlineNs;
          assert.ok(tooMuchNs <= roundingNs, `${tooMuchNs} ns too much`);
        }
        assert.ok(host.offlineNs <= timeline.reduce((sum, { forNs }) => sum + forNs, 0));
        assert.ok(plugged.absences.length <= timeline.length);
      },
    ),
    { seed: 20100830, numRuns: 300 },
  );
});
