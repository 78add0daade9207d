import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { HostTaskConfig, Scenario, TimelineEvent, VcpuConfig, Workload } from "../src/engine/scenario.js";
import { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { runOne } from "../src/fuzz/run-one.js";
import { LedgerState } from "../src/host/ledger.js";
import { NICE_0_WEIGHT, weightOfNice } from "../src/host/weights.js";
import {
  MAX_TIME_NS,
  NS_PER_MS,
  NS_PER_SECOND,
  NS_PER_US,
  type Ns,
  TWO_POW_32,
  tickNsecOf,
} from "../src/shared/units.js";
import { scenarioOf } from "./engine-helpers.js";
import { checkerOf, runVirtually } from "./virtual-helpers.js";

/** Random small scenarios in virtual time: what must hold whatever is asked for. fast-check shrinks what does not. */

const MAX_PCPUS = 4;

const arbNice = fc.oneof(fc.constant(0), fc.integer({ min: -20, max: 19 }));

const arbDuty: fc.Arbitrary<Extract<Workload, { kind: "duty" }>> = fc
  .record({ periodNs: fc.integer({ min: NS_PER_MS, max: 30 * NS_PER_MS }), percent: fc.integer({ min: 1, max: 99 }) })
  .map(({ periodNs, percent }) => ({ kind: "duty", periodNs, busyNs: Math.floor((periodNs * percent) / 100) }));

const arbWorkload: fc.Arbitrary<Workload> = fc.oneof(
  fc.constantFrom<Workload[]>(
    { kind: "hog" },
    { kind: "kernel" },
    { kind: "mixed" },
    { kind: "idle" },
    { kind: "stuck" },
  ),
  arbDuty,
);

/** Pinned to some of the pCPUs that there are, or free. */
function arbPinning(pcpus: number): fc.Arbitrary<readonly number[] | null> {
  return fc.option(fc.uniqueArray(fc.nat(pcpus - 1), { minLength: 1, maxLength: pcpus }), { nil: null });
}

function arbVcpu(pcpus: number, tickNsec: Ns): fc.Arbitrary<VcpuConfig> {
  return fc.record({
    workload: arbWorkload,
    nice: arbNice,
    pcpus: arbPinning(pcpus),
    tickPhaseNs: fc.nat(tickNsec - 1),
    gpa: fc.constant(null),
  });
}

function arbHostTask(pcpus: number): fc.Arbitrary<HostTaskConfig> {
  const workload = fc.oneof(fc.constant<HostTaskConfig["workload"]>({ kind: "hog" }), arbDuty);
  return fc.record({ workload, nice: arbNice, pcpus: arbPinning(pcpus) });
}

/** From none to longer than any slice. */
const arbLatency = fc.oneof(fc.constant(0), fc.nat(60 * NS_PER_US), fc.nat(15 * NS_PER_MS));

const arbChance: fc.Arbitrary<Scenario["chance"]> = fc.record({
  jitterPercent: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 50 })),
  wakeLatencyNs: arbLatency,
  hostNoiseNs: arbLatency,
});

/** Also where numbers are large, or the 32-bit steal wraps. */
const arbStartAt = fc.oneof(
  fc.constant(0),
  fc.nat(NS_PER_SECOND),
  fc.nat(50).map((ms) => (TWO_POW_32 - ms) * NS_PER_MS),
  fc.constant(MAX_TIME_NS - NS_PER_SECOND),
);

/** One thing after another: each some time after the end of the one in front of it. */
function arbSpans(maxLength: number): fc.Arbitrary<{ atNs: Ns; forNs: Ns }[]> {
  const gap = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 * NS_PER_MS }));
  const length = fc.integer({ min: NS_PER_US, max: 30 * NS_PER_MS });
  return fc.array(fc.record({ gap, length }), { maxLength }).map((spans) => {
    let fromNs = 0;
    return spans.map(({ gap: gapNs, length: forNs }) => {
      const atNs = fromNs + gapNs;
      fromNs = atNs + forNs;
      return { atNs, forNs };
    });
  });
}

function arbTimeline(vcpus: number): fc.Arbitrary<TimelineEvent[]> {
  const arbTarget = fc.option(
    fc.record({ stealFeature: fc.boolean(), tscKhz: fc.integer({ min: 100_000, max: 10_000_000 }) }),
  );
  const arbStops = fc
    .record({ spans: arbSpans(3), targets: fc.tuple(arbTarget, arbTarget, arbTarget) })
    .map(({ spans, targets }) =>
      spans.map((span, index): TimelineEvent => {
        const target = targets[index];
        return target === null ? { kind: "suspend", ...span } : { kind: "migrate", ...span, ...target };
      }),
    );
  const arbOfflines = fc
    .record({ vcpu: fc.nat(vcpus - 1), spans: arbSpans(3) })
    .map(({ vcpu, spans }) => spans.map((span): TimelineEvent => ({ kind: "offline", ...span, vcpu })));
  return fc
    .tuple(arbStops, arbOfflines)
    .map(([stops, offlines]) => [...stops, ...offlines].sort((a, b) => a.atNs - b.atNs));
}

const arbScenario: fc.Arbitrary<Scenario> = fc
  .record({
    pcpus: fc.integer({ min: 1, max: MAX_PCPUS }),
    hz: fc.constantFrom<Scenario["hz"][]>(100, 250, 300, 1000),
    durationNs: fc.integer({ min: NS_PER_MS, max: 100 * NS_PER_MS }),
  })
  .chain(({ pcpus, hz, durationNs }) =>
    fc.record<Scenario>({
      engine: fc.constant("virtual"),
      seed: fc.nat(TWO_POW_32 - 1),
      host: fc.constant("fair"),
      durationNs: fc.constant(durationNs),
      pcpus: fc.constant(pcpus),
      sliceNs: fc.oneof(fc.constant(4 * NS_PER_MS), fc.integer({ min: 100 * NS_PER_US, max: 10 * NS_PER_MS })),
      update: fc.oneof(
        fc.constantFrom<Scenario["update"][]>({ kind: "entry" }, { kind: "pcpu-change" }, { kind: "steal-entry" }),
        fc
          .integer({ min: 100 * NS_PER_US, max: 5 * NS_PER_MS })
          .map((periodNs) => ({ kind: "periodic", periodNs }) as const),
      ),
      measure: fc.constantFrom("out-of-guest", "wait"),
      stealUnit: fc.constantFrom("ms", "ns"),
      stealFeature: fc.boolean(),
      accounting: fc.constantFrom("none", "rfc-v2", "mainline"),
      hz: fc.constant(hz),
      tscKhz: fc.oneof(fc.constant(2_600_000), fc.integer({ min: 100_000, max: 10_000_000 })),
      watchdog: fc.record({
        mode: fc.constantFrom("steal-aware", "plain"),
        thresholdNs: fc.constant(20 * NS_PER_MS),
        periodNs: fc.integer({ min: NS_PER_MS, max: 19 * NS_PER_MS }),
      }),
      pollNs: fc.constant(NS_PER_MS),
      vcpus: fc.array(arbVcpu(pcpus, tickNsecOf(hz)), { minLength: 2, maxLength: 12 }),
      hostTasks: fc.array(arbHostTask(pcpus), { maxLength: 3 }),
      faults: fc.constant([]),
      chance: arbChance,
      startAtNs: arbStartAt,
      timeline: arbTimeline(2).map((events) => events.filter(({ atNs }) => atNs < durationNs)),
      pageMemory: fc.constantFrom("zero", "junk"),
    }),
  );

/** @returns the pCPUs that nobody holds although a vCPU waits that may run there */
function wastedPcpus(machine: VirtualMachine): number[] {
  const { scenario } = machine;
  const { witnesses } = checkerOf(machine);
  const waiting = witnesses.flatMap(({ inGuest, state }, id) => (!inGuest && state === LedgerState.Wait ? [id] : []));
  const held = new Set(witnesses.filter(({ inGuest }) => inGuest).map(({ pcpu }) => pcpu));
  const mayRun = (id: number, pcpu: number): boolean => scenario.vcpus[id].pcpus?.includes(pcpu) ?? true;
  return Array.from({ length: scenario.pcpus }, (_, pcpu) => pcpu).filter(
    (pcpu) => !held.has(pcpu) && waiting.some((id) => mayRun(id, pcpu)),
  );
}

describe("random scenarios", () => {
  test("whatever is asked for and however late vCPUs answer, every property and every invariant holds", () => {
    fc.assert(
      fc.property(arbScenario, (scenario) => {
        assert.deepEqual(runOne(scenario).problems, []);
      }),
      { numRuns: 500 },
    );
  });

  test("no pCPU idles while a vCPU waits that may run there", () => {
    fc.assert(
      fc.property(arbScenario, (scenario) => {
        // Without host tasks, so that the notifications tell all of who holds a pCPU.
        const machine = new VirtualMachine({ ...scenario, hostTasks: [] });
        machine.onInstant = (now) => assert.deepEqual(wastedPcpus(machine), [], `at ${now}`);
        machine.run(scenario.durationNs);
      }),
      { numRuns: 500 },
    );
  });
});

const NO_CHANCE: Scenario["chance"] = { jitterPercent: 0, wakeLatencyNs: 0, hostNoiseNs: 0 };

/** One pCPU and hogs that never leave: no wake-ups, no migrations, no latency. */
const arbConstantMembership: fc.Arbitrary<Scenario> = fc
  .record({ scenario: arbScenario, nices: fc.array(arbNice, { minLength: 2, maxLength: 8 }) })
  .map(({ scenario, nices }) => ({
    ...scenario,
    durationNs: 300 * scenario.sliceNs,
    pcpus: 1,
    hostTasks: [],
    chance: NO_CHANCE,
    startAtNs: 0,
    timeline: [],
    vcpus: nices.map((nice) => ({ workload: { kind: "hog" }, nice, pcpus: null, tickPhaseNs: 0, gpa: null })),
  }));

describe("weighted fairness among constant competitors", () => {
  test("at every instant two vCPUs' service per weight differs by at most a slice of each", () => {
    fc.assert(
      fc.property(arbConstantMembership, (scenario) => {
        const machine = new VirtualMachine(scenario);
        machine.onInstant = (now) => assertFair(machine, now);
        machine.run(scenario.durationNs);
      }),
    );
  });

  test("nobody waits longer than the others' due of one slice of its own, and a slice of each", () => {
    fc.assert(
      fc.property(arbConstantMembership, (scenario) => {
        const { vcpus } = runVirtually(scenario);
        const weights = scenario.vcpus.map(({ nice }) => weightOfNice(nice));
        const totalWeight = weights.reduce((sum, weight) => sum + weight, 0);
        for (const { id, host } of vcpus) {
          const competitors = vcpus.length - 1;
          const boundNs = scenario.sliceNs * (totalWeight / weights[id] + competitors);
          assert.ok(host.wait.maxNs <= boundNs, `vCPU ${id} waited ${host.wait.maxNs} ns, the bound is ${boundNs}`);
        }
      }),
    );
  });
});

/** |S_i / w_i - S_j / w_j| <= slice / w_i + slice / w_j: start-time fair queueing with requests of one slice. */
function assertFair({ host, scenario }: VirtualMachine, now: Ns): void {
  const shares = host.ledger.vcpus.map((account, id) => {
    const weight = weightOfNice(scenario.vcpus[id].nice);
    return { served: account.totalNs(LedgerState.Run, now) / weight, slice: scenario.sliceNs / weight };
  });
  // Virtual time is kept in whole ns of a nice-0 task: the order of two requests can be off by one of them.
  const roundingNs = 1 / NICE_0_WEIGHT;
  for (const [i, a] of shares.entries()) {
    for (const [j, b] of shares.entries()) {
      const distance = a.served - b.served;
      assert.ok(
        distance <= a.slice + b.slice + roundingNs,
        `vCPU ${i} is ${distance} ns per weight ahead of ${j} at ${now}`,
      );
    }
  }
}

/** `vcpus` hogs and `tasks` hogs of the host, all alike, on two pCPUs. */
function hogsOnTwoPcpus(vcpus: number, tasks: number): Scenario {
  const hog: HostTaskConfig = { workload: { kind: "hog" }, nice: 0, pcpus: null };
  const hostTasks = Array.from({ length: tasks }, () => hog);
  return scenarioOf({ vcpuCount: vcpus, hostTasks, pcpus: 2, durationNs: 30 * NS_PER_SECOND });
}

describe("three hogs on two pCPUs get two thirds each", () => {
  for (const [vcpus, tasks] of [
    [3, 0],
    [2, 1],
  ]) {
    test(`${vcpus} of them vCPUs, ${tasks} a task of the host`, () => {
      const { vcpus: results, elapsedNs } = runVirtually(hogsOnTwoPcpus(vcpus, tasks));
      for (const { id, host } of results) {
        const share = host.runNs / elapsedNs;
        assert.ok(Math.abs(share - 2 / 3) < 0.01, `vCPU ${id} got ${share}`);
      }
    });
  }
});

test("who sleeps before the end of each request has not had it for nothing: the others wait no longer for it", () => {
  const { vcpus: plain, ...scenario } = scenarioOf({ vcpuCount: 4, sliceNs: NS_PER_MS, durationNs: NS_PER_SECOND });
  const duty = { kind: "duty", busyNs: 450 * NS_PER_US, periodNs: NS_PER_MS } as const;
  const niceOf = [5, 19, 7, 11];
  const vcpus = plain.map((vcpu, id) => ({ ...vcpu, nice: niceOf[id], workload: id === 3 ? duty : vcpu.workload }));
  assert.deepEqual(runOne({ ...scenario, engine: "virtual", vcpus }).problems, []);
});

describe("a run repeats itself", () => {
  test("the same scenario gives the same result, to the byte", () => {
    fc.assert(
      fc.property(arbScenario, (scenario) => {
        assert.equal(JSON.stringify(runVirtually(scenario)), JSON.stringify(runVirtually(scenario)));
      }),
      { numRuns: 50 },
    );
  });
});
