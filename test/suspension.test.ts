import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { HostTaskConfig, Measure, TimelineEvent, Workload } from "../src/engine/scenario.js";
import { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import type { VcpuLedger } from "../src/host/ledger.js";
import { LedgerState } from "../src/host/ledger.js";
import { OutState } from "../src/host/sched-notifier.js";
import { FLAG_GUEST_STOPPED } from "../src/shared/pvclock-page.js";
import { NS_PER_MS, NS_PER_US, type Ns } from "../src/shared/units.js";
import { clearGuestStopped } from "../src/shared/version-protocol.js";
import { scenarioOf } from "./engine-helpers.js";
import { assertSound, checkerOf, machineOf, observerOf, pageOf, runToEnd, virtually } from "./virtual-helpers.js";

/** The whole host stands still for a while. */

const SLICE_NS = 4 * NS_PER_MS;
const AT_NS = 50 * NS_PER_MS + 123_456;
const FOR_NS = 250 * NS_PER_MS;
const RESUMED_NS = AT_NS + FOR_NS;
const SUSPEND: TimelineEvent = { kind: "suspend", atNs: AT_NS, forNs: FOR_NS };
const MEASURES: readonly Measure[] = ["out-of-guest", "wait"];
const HOST_HOG: HostTaskConfig = { workload: { kind: "hog" }, nice: 0, pcpus: null };

/** One vCPU for each workload; two pCPUs and a hog of the host. */
const DUTY = { kind: "duty", busyNs: 3 * NS_PER_MS, periodNs: 7 * NS_PER_MS } as const;
const WORKLOADS: readonly Workload[] = [{ kind: "hog" }, { kind: "mixed" }, DUTY, { kind: "idle" }, { kind: "hog" }];
const VCPUS = WORKLOADS.map((_, id) => id);

function crowd(
  changes: Parameters<typeof scenarioOf>[0] = {},
  options: ConstructorParameters<typeof VirtualMachine>[1] = {},
) {
  const scenario = virtually(
    scenarioOf({
      vcpuCount: WORKLOADS.length,
      pcpus: 2,
      hostTasks: [HOST_HOG],
      durationNs: 500 * NS_PER_MS,
      watchdog: { mode: "plain", thresholdNs: 100 * NS_PER_MS, periodNs: 20 * NS_PER_MS },
      timeline: [SUSPEND],
      stealUnit: "ns",
      ...changes,
    }),
  );
  const vcpus = scenario.vcpus.map((vcpu, id) => ({ ...vcpu, workload: WORKLOADS[id] }));
  return new VirtualMachine({ ...scenario, vcpus }, options);
}

function totalsOf(account: VcpuLedger, now: Ns) {
  const { Run, Wait, Halt, Offline } = LedgerState;
  const [runNs, waitNs, haltNs, offlineNs] = [Run, Wait, Halt, Offline].map((state) => account.totalNs(state, now));
  return { runNs, waitNs, haltNs, offlineNs };
}

const accountsOf = ({ host, now }: VirtualMachine) => host.ledger.vcpus.map((account) => totalsOf(account, now));

function isStopped(machine: VirtualMachine, vcpu: number): boolean {
  return (pageOf(machine, vcpu).flags & FLAG_GUEST_STOPPED) !== 0;
}

describe("while the host is suspended", () => {
  test("nobody runs and nobody waits: who wanted a pCPU is offline for just that long, who halted stays halted", () => {
    for (const atNs of [AT_NS, 48 * NS_PER_MS, 0, 1]) {
      const machine = crowd({ timeline: [{ kind: "suspend", atNs, forNs: FOR_NS }] });
      machine.run(atNs);
      const before = accountsOf(machine);
      const states = machine.host.ledger.vcpus.map(({ state }) => state);
      // Those that run at the instant leave, the others are out.
      for (const vcpu of VCPUS) assert.ok([OutState.Offline, OutState.Halt].includes(states[vcpu] as 2 | 3), `${vcpu}`);
      assert.equal(states[0], OutState.Offline);
      machine.run(atNs + FOR_NS - 1);
      assert.deepEqual(
        machine.host.ledger.vcpus.map(({ state }) => state),
        states,
      );
      accountsOf(machine).forEach((account, vcpu) => {
        const spanNs = FOR_NS - 1;
        const { runNs, waitNs, haltNs, offlineNs } = before[vcpu];
        const expected =
          states[vcpu] === OutState.Halt
            ? { runNs, waitNs, haltNs: haltNs + spanNs, offlineNs }
            : { runNs, waitNs, haltNs, offlineNs: offlineNs + spanNs };
        assert.deepEqual(account, expected);
      });
      const result = runToEnd(machine);
      assertSound(result);
      for (const { id, host } of result.vcpus) {
        assert.equal(host.offlineNs, states[id] === OutState.Offline ? FOR_NS : 0);
      }
    }
  });

  test("nothing happens at all: no page is written, nobody is woken, no guest is told the time", () => {
    const heard: [Ns, string][] = [];
    const hear = (what: string, now: Ns) => heard.push([now, what]);
    const observer = observerOf({
      schedIn: (_vcpu, _pcpu, now) => hear("in", now),
      schedOut: (_vcpu, _state, now) => hear("out", now),
      woken: (_vcpu, now) => hear("woken", now),
      published: (_vcpu, _version, _stealNs, now) => hear("published", now),
      told: (_vcpu, _guest, now) => hear("told", now),
    });
    const update = { kind: "periodic", periodNs: NS_PER_MS } as const;
    runToEnd(crowd({ update }, { observer }));
    assert.deepEqual(
      heard.filter(([now]) => now > AT_NS && now < RESUMED_NS),
      [],
    );
    const at = (instant: Ns) => new Set(heard.filter(([now]) => now === instant).map(([, what]) => what));
    assert.deepEqual(at(AT_NS), new Set(["told", "out"]));
    assert.ok(at(RESUMED_NS).has("in") && at(RESUMED_NS).has("published"));
    assert.ok(heard.some(([now]) => now > RESUMED_NS + 10 * NS_PER_MS));
  });

  test("timers fall due and go off at its end", () => {
    const ins: [number, Ns][] = [];
    const observer = observerOf({ schedIn: (vcpu, _pcpu, now) => ins.push([vcpu, now]) });
    runToEnd(crowd({ hostTasks: [] }, { observer }));
    // The idle one's watchdog, every 20 ms: the last time before at 40 ms, and six times that long overdue.
    const [, ...idle] = ins.filter(([vcpu]) => vcpu === 3).map(([, now]) => now);
    assert.deepEqual(
      idle.filter((now) => now <= AT_NS),
      [20, 40].map((ms) => ms * NS_PER_MS),
    );
    const [first, second] = idle.filter((now) => now > AT_NS);
    assert.ok(first >= RESUMED_NS && first <= RESUMED_NS + 2 * SLICE_NS, `${first}`);
    // And on its grid again: what was missed is not made up for.
    assert.equal(second % (20 * NS_PER_MS), 0);
  });

  test("a burst of a host task stands still too", () => {
    // 5 ms in each 20 ms, but for 1 ms of the vCPU in each burst: at 44 ms it has 2 ms of its third one left.
    const workload = { kind: "duty", busyNs: 5 * NS_PER_MS, periodNs: 20 * NS_PER_MS } as const;
    const hostTasks: HostTaskConfig[] = [{ workload, nice: -20, pcpus: null }];
    const atNs = 44 * NS_PER_MS;
    const timeline: TimelineEvent[] = [{ kind: "suspend", atNs, forNs: FOR_NS }];
    const machine = machineOf({ vcpuCount: 1, hostTasks, timeline, sliceNs: NS_PER_MS, durationNs: 600 * NS_PER_MS });
    const waitedNs = () => machine.host.ledger.vcpus[0].totalNs(LedgerState.Wait, machine.now);
    machine.run(atNs);
    assert.equal(waitedNs(), 3 * workload.busyNs - 2 * NS_PER_MS);
    // It sleeps from then to 300 ms: had it counted the suspension, it would need no more.
    machine.run(atNs + FOR_NS + 5 * NS_PER_MS);
    assert.equal(waitedNs(), 3 * workload.busyNs);
    assertSound(runToEnd(machine));
  });

  test("an interrupt for a halted vCPU wakes it at the end", () => {
    const ins: Ns[] = [];
    const observer = observerOf({ schedIn: (_vcpu, _pcpu, now) => ins.push(now) });
    const changes = { vcpuCount: 1, vcpu: { workload: { kind: "idle" } }, timeline: [SUSPEND] } as const;
    const machine = machineOf({ ...changes, durationNs: 500 * NS_PER_MS }, { observer });
    machine.run(AT_NS + FOR_NS / 2);
    machine.host.interrupt(0, machine.now);
    const { haltNs, offlineNs } = runToEnd(machine).vcpus[0].host;
    assert.deepEqual(ins, [0, RESUMED_NS]);
    assert.deepEqual([haltNs, offlineNs], [500 * NS_PER_MS, 0]);
  });

  test("the run may end: the books are closed all the same", () => {
    const machine = crowd({ durationNs: AT_NS + FOR_NS / 2 });
    const result = runToEnd(machine);
    assertSound(result);
    assert.equal(result.vcpus[0].host.offlineNs, FOR_NS / 2);
    assert.equal(result.elapsedNs, AT_NS + FOR_NS / 2);
  });

  test("several suspensions, one right after the other, are as many", () => {
    const timeline: TimelineEvent[] = [0, 1, 2].map((which) => ({
      kind: "suspend",
      atNs: AT_NS + which * 50 * NS_PER_MS,
      forNs: which === 2 ? 10 * NS_PER_MS : 50 * NS_PER_MS,
    }));
    const result = runToEnd(crowd({ timeline }));
    assertSound(result);
    assert.equal(result.vcpus[0].host.offlineNs, 110 * NS_PER_MS);
  });
});

describe("a guest whose host was suspended", () => {
  test("finds GUEST_STOPPED in each of its pages before it runs, and clears it", () => {
    const stoppedAtFirstEntry: boolean[] = [];
    let resumed = false;
    const observer = observerOf({
      schedIn: (_vcpu, _pcpu, now) => {
        if (resumed || now < RESUMED_NS) return;
        resumed = true;
        stoppedAtFirstEntry.push(...VCPUS.map((vcpu) => isStopped(machine, vcpu)));
      },
    });
    const machine = crowd({}, { observer });
    machine.run(RESUMED_NS - 1);
    for (const vcpu of VCPUS) assert.equal(isStopped(machine, vcpu), false);
    machine.run(RESUMED_NS);
    assert.deepEqual(
      stoppedAtFirstEntry,
      VCPUS.map(() => true),
    );
    machine.run(RESUMED_NS + 50 * NS_PER_MS);
    for (const vcpu of VCPUS) assert.equal(isStopped(machine, vcpu), false, `vCPU ${vcpu}`);
  });

  test("reports no lockup for a suspension longer than the threshold; without the flag it does", () => {
    for (const without of [false, true]) {
      // Cleared before anybody runs again.
      const observer = observerOf({
        schedIn: (_vcpu, _pcpu, now) => {
          if (!without || now < RESUMED_NS) return;
          for (const vcpu of VCPUS) clearGuestStopped(machine.ram, machine.host.publisher.pageOf(vcpu).base);
        },
      });
      const machine: VirtualMachine = crowd({}, { observer });
      const result = runToEnd(machine);
      assertSound(result);
      const reported = result.vcpus.map(({ guest }) => guest.softlockups.reported);
      // The idle one's CPU is touched on idle exit, whatever the flag says; so is the duty one's, if it was halted.
      assert.deepEqual([reported[0], reported[1], reported[4]], without ? [1, 1, 1] : [0, 0, 0]);
      assert.equal(reported[3], 0);
    }
  });

  test("nor has its steal-aware watchdog anything to explain away", () => {
    const watchdog = { mode: "steal-aware", thresholdNs: 100 * NS_PER_MS, periodNs: 20 * NS_PER_MS } as const;
    for (const { guest } of runToEnd(crowd({ watchdog })).vcpus) {
      assert.deepEqual(guest.softlockups, { reported: 0, suppressed: 0 });
    }
  });

  test("a task of it that is stuck is found as long after the end as it takes without a suspension", () => {
    const watchdog = { mode: "plain", thresholdNs: 100 * NS_PER_MS, periodNs: 20 * NS_PER_MS } as const;
    const machine = machineOf({
      vcpuCount: 1,
      vcpu: { workload: { kind: "stuck" } },
      watchdog,
      timeline: [SUSPEND],
      durationNs: 500 * NS_PER_MS,
    });
    machine.run(RESUMED_NS + watchdog.thresholdNs);
    assert.equal(machine.guests[0].watchdog.reported, 0);
    machine.run(RESUMED_NS + watchdog.thresholdNs + 3 * SLICE_NS);
    assert.equal(machine.guests[0].watchdog.reported, 1);
  });

  test("its clocks count the span, and never step back", () => {
    const machine = crowd({ tscKhz: 2_599_998 });
    machine.run(AT_NS);
    const before = machine.guests.map(({ time }) => time.nowNs(machine.now));
    machine.run(RESUMED_NS);
    machine.guests.forEach(({ time }, vcpu) => {
      const passedNs = time.nowNs(machine.now) - before[vcpu];
      assert.ok(Math.abs(passedNs - FOR_NS) <= 3, `vCPU ${vcpu}: ${passedNs} ns`);
    });
    const result = runToEnd(machine);
    assertSound(result);
    for (const { clock } of result.vcpus) assert.equal(clock.backwardSteps, 0);
  });

  for (const accounting of ["rfc-v2", "mainline"] as const) {
    for (const measure of MEASURES) {
      test(`${accounting}, ${measure}: the span is ${measure === "wait" ? "no steal" : "steal"}`, () => {
        const durationNs = 500 * NS_PER_MS;
        // Alone on its pCPU: it never waits.
        const changes = {
          vcpuCount: 1,
          timeline: [SUSPEND],
          durationNs,
          accounting,
          measure,
          stealUnit: "ns",
        } as const;
        const result = runToEnd(machineOf(changes));
        assertSound(result);
        const { guest, host } = result.vcpus[0];
        assert.deepEqual([host.runNs, host.waitNs, host.offlineNs], [durationNs - FOR_NS, 0, FOR_NS]);
        assert.equal(guest.stealNs, measure === "wait" ? 0 : FOR_NS);
        // One tick stands for all that fell due meanwhile; mainline's is less than the steal that it finds.
        const lost = guest.lostTicks;
        assert.ok(lost === Math.floor(FOR_NS / SLICE_NS) || lost === Math.floor(FOR_NS / SLICE_NS) - 1, `${lost}`);
        assert.equal(guest.ticks + lost, durationNs / SLICE_NS);
        assert.equal(guest.userNs, (guest.ticks - (measure === "wait" ? 0 : 1)) * SLICE_NS);
      });
    }
  }
});

describe("a vCPU that is slow to leave when its host is suspended", () => {
  /** @returns the exits and entries from the suspension on, and when the host went on */
  function stragglers(seed: number, forNs: Ns) {
    const outs: Ns[] = [];
    const ins: Ns[] = [];
    const observer = observerOf({
      schedOut: (_vcpu, _state, now) => {
        if (now >= AT_NS && ins.length === 0) outs.push(now);
      },
      schedIn: (_vcpu, _pcpu, now) => {
        if (now >= AT_NS) ins.push(now);
      },
    });
    const chance = { jitterPercent: 0, wakeLatencyNs: 50 * NS_PER_US, hostNoiseNs: 3 * NS_PER_MS };
    const timeline: TimelineEvent[] = [{ kind: "suspend", atNs: AT_NS, forNs }];
    const machine = machineOf(
      { vcpuCount: 6, pcpus: 3, timeline, chance, seed, durationNs: 100 * NS_PER_MS },
      { observer },
    );
    const result = runToEnd(machine);
    assertSound(result);
    return { result, lastOut: Math.max(...outs), firstIn: Math.min(...ins) };
  }

  test("is waited for: the host goes on when the last one has left, or at the end of the span", () => {
    let late = 0;
    for (let seed = 0; seed < 40; seed++) {
      const forNs = 1_500 * NS_PER_US;
      const { result, lastOut, firstIn } = stragglers(seed, forNs);
      assert.ok(lastOut > AT_NS && lastOut <= AT_NS + 3 * NS_PER_MS + 50 * NS_PER_US);
      assert.equal(firstIn, Math.max(lastOut, AT_NS + forNs), `seed ${seed}`);
      if (lastOut > AT_NS + forNs) late++;
      // Whoever left is out from there; until then it ran, and the host knows.
      const offlineNs = result.vcpus.map(({ host }) => host.offlineNs);
      assert.ok(Math.max(...offlineNs) === firstIn - AT_NS, "those that waited were out for all of it");
      assert.ok(Math.min(...offlineNs) === firstIn - lastOut, "the last one was out for the rest");
    }
    assert.ok(late > 5 && late < 40, `${late} late of 40`);
  });
});

describe("a CPU that is offline when its host is suspended", () => {
  const offline = (atNs: Ns, forNs: Ns): TimelineEvent => ({ kind: "offline", atNs, forNs, vcpu: 0 });

  test("stays so; was it to be back meanwhile, it is when the host goes on", () => {
    const timeline = [offline(AT_NS - 20 * NS_PER_MS, 100 * NS_PER_MS), SUSPEND];
    const machine = crowd({ timeline });
    machine.run(RESUMED_NS - 1);
    assert.equal(machine.guests[0].time.registered, false);
    assert.equal(machine.host.ledger.vcpus[0].state, OutState.Offline);
    const result = runToEnd(machine);
    assertSound(result);
    const wentNs = RESUMED_NS - result.vcpus[0].host.offlineNs;
    assert.ok(wentNs >= AT_NS - 20 * NS_PER_MS && wentNs <= AT_NS, `went at ${wentNs}`);
    assert.equal(machine.guests[0].time.registered, true);
    assert.equal(result.vcpus[0].guest.softlockups.reported, 0);
  });

  test("that was to go offline meanwhile goes when it runs again", () => {
    const timeline = [SUSPEND, offline(AT_NS + 10 * NS_PER_MS, 20 * NS_PER_MS)];
    const machine = crowd({ timeline });
    const result = runToEnd(machine);
    assertSound(result);
    // Its time offline was over before it came to it.
    assert.equal(result.vcpus[0].host.offlineNs, FOR_NS);
    assert.equal(machine.guests[0].time.stealClock.stretches.length, 2);
  });
});

const anyWorkload: fc.Arbitrary<Workload> = fc.oneof(fc.constantFrom<Workload[]>(...WORKLOADS), fc.constant(DUTY));

test("whatever runs and however late it leaves: the books are right, and clocks never step back", () => {
  const span = fc.record({ gapNs: fc.nat(40 * NS_PER_MS), forNs: fc.integer({ min: 1, max: 60 * NS_PER_MS }) });
  const latency = fc.constantFrom(0, 20 * NS_PER_US, 5 * NS_PER_MS);
  fc.assert(
    fc.property(
      fc.array(span, { minLength: 1, maxLength: 4 }),
      fc.array(anyWorkload, { minLength: 1, maxLength: 5 }),
      fc.record({ jitterPercent: fc.constantFrom(0, 20), wakeLatencyNs: latency, hostNoiseNs: latency }),
      fc.record({ pcpus: fc.integer({ min: 1, max: 3 }), measure: fc.constantFrom(...MEASURES), seed: fc.nat() }),
      fc.boolean(),
      (spans, workloads, chance, changes, withTask) => {
        let at = 0;
        const timeline = spans.map(({ gapNs, forNs }): TimelineEvent => {
          const atNs = at + gapNs;
          at = atNs + forNs;
          return { kind: "suspend", atNs, forNs };
        });
        const hostTasks = withTask ? [HOST_HOG] : [];
        const scenario = virtually(
          scenarioOf({ vcpuCount: workloads.length, timeline, chance, hostTasks, ...changes }),
        );
        const vcpus = scenario.vcpus.map((vcpu, id) => ({ ...vcpu, workload: workloads[id] }));
        const machine = new VirtualMachine({ ...scenario, vcpus });
        const result = runToEnd(machine);
        assertSound(result);
        assert.deepEqual(checkerOf(machine).violations, []);
        for (const { clock, guest } of result.vcpus) {
          assert.equal(clock.backwardSteps, 0);
          assert.equal(guest.softlockups.reported, 0);
        }
      },
    ),
    { seed: 20100830, numRuns: 300 },
  );
});
