import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { RunResult } from "../src/engine/result.js";
import type { HostTaskConfig, Scenario, VcpuConfig, Workload } from "../src/engine/scenario.js";
import { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { LedgerState } from "../src/host/ledger.js";
import { NICE_0_WEIGHT, weightOfNice } from "../src/host/weights.js";
import { MAX_TIME_NS, NS_PER_MS, NS_PER_SECOND, NS_PER_US, type Ns, tickNsecOf } from "../src/shared/units.js";
import { scenarioOf } from "./engine-helpers.js";
import { checkerOf, runVirtually, virtually } from "./virtual-helpers.js";

/** Random small scenarios in virtual time: what must hold whatever is asked for. */

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

const arbScenario: fc.Arbitrary<Scenario> = fc
  .record({ pcpus: fc.integer({ min: 1, max: MAX_PCPUS }), hz: fc.constantFrom<Scenario["hz"][]>(100, 250, 300, 1000) })
  .chain(({ pcpus, hz }) =>
    fc.record<Scenario>({
      engine: fc.constant("virtual"),
      seed: fc.nat(0xffff_ffff),
      host: fc.constant("fair"),
      durationNs: fc.integer({ min: NS_PER_MS, max: 100 * NS_PER_MS }),
      pcpus: fc.constant(pcpus),
      sliceNs: fc.oneof(fc.constant(4 * NS_PER_MS), fc.integer({ min: 100 * NS_PER_US, max: 10 * NS_PER_MS })),
      update: fc.oneof(
        fc.constantFrom<Scenario["update"][]>({ kind: "entry" }, { kind: "pcpu-change" }),
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
      chance: fc.constant({ jitterPercent: 0, wakeLatencyNs: 0, hostNoiseNs: 0 }),
      startAtNs: fc.constant(0),
      timeline: fc.constant([]),
      pageMemory: fc.constant("zero"),
    }),
  );

/** The longest latency: none, as on a real machine, or longer than any slice. */
const arbLatencyNs = fc.oneof(fc.constant(0), fc.nat(60 * NS_PER_US), fc.nat(15 * NS_PER_MS));

const arbLateScenario: fc.Arbitrary<Scenario> = fc
  .record({
    scenario: arbScenario,
    startAtNs: fc.oneof(fc.constant(0), fc.nat(NS_PER_SECOND), fc.constant(MAX_TIME_NS - NS_PER_SECOND)),
    wakeLatencyNs: arbLatencyNs,
    hostNoiseNs: arbLatencyNs,
  })
  .map(({ scenario, startAtNs, ...latencies }) => ({
    ...scenario,
    startAtNs,
    chance: { jitterPercent: 0, ...latencies },
  }));

function assertSound(result: RunResult): void {
  for (const { name, status, detail } of result.invariants) assert.notEqual(status, "broken", `${name}: ${detail}`);
  for (const { id, host, clock } of result.vcpus) {
    const sumNs = host.runNs + host.waitNs + host.haltNs + host.offlineNs;
    assert.equal(sumNs, result.elapsedNs, `vCPU ${id}`);
    assert.equal(clock.backwardSteps, 0, `vCPU ${id}`);
  }
}

/** @returns the pCPUs that nobody holds although a vCPU waits that may run there */
function wastedPcpus(machine: VirtualMachine): number[] {
  const { scenario } = machine;
  const checker = checkerOf(machine);
  const waiting = checker.witnesses.flatMap(({ inGuest, state }, id) => (!inGuest && state === 1 ? [id] : []));
  const held = new Set(checker.witnesses.filter(({ inGuest }) => inGuest).map(({ pcpu }) => pcpu));
  const mayRun = (id: number, pcpu: number): boolean => scenario.vcpus[id].pcpus?.includes(pcpu) ?? true;
  return Array.from({ length: scenario.pcpus }, (_, pcpu) => pcpu).filter(
    (pcpu) => !held.has(pcpu) && waiting.some((id) => mayRun(id, pcpu)),
  );
}

describe("random scenarios", () => {
  test("whatever is asked for and however late vCPUs answer, every invariant holds", () => {
    fc.assert(
      fc.property(arbLateScenario, (scenario) => {
        assertSound(runVirtually(scenario));
      }),
      { numRuns: 500 },
    );
  });

  test("no pCPU idles while a vCPU waits that may run there", () => {
    fc.assert(
      fc.property(arbLateScenario, (scenario) => {
        // Without host tasks, so that the notifications tell all of who holds a pCPU.
        const machine = new VirtualMachine({ ...scenario, hostTasks: [] });
        machine.onInstant = (now) => assert.deepEqual(wastedPcpus(machine), [], `at ${now}`);
        machine.run(scenario.durationNs);
      }),
      { numRuns: 500 },
    );
  });
});

/** One pCPU and hogs that never leave: no wake-ups, no migrations, no latency. */
const arbConstantMembership: fc.Arbitrary<Scenario> = fc
  .record({ scenario: arbScenario, nices: fc.array(arbNice, { minLength: 2, maxLength: 8 }) })
  .map(({ scenario, nices }) => ({
    ...scenario,
    durationNs: 300 * scenario.sliceNs,
    pcpus: 1,
    hostTasks: [],
    vcpus: nices.map((nice) => ({ workload: { kind: "hog" }, nice, pcpus: null, tickPhaseNs: 0, gpa: null })),
  }));

describe("weighted fairness among constant competitors", () => {
  test("at every instant two vCPUs' service per weight differs by at most a slice of each", () => {
    fc.assert(
      fc.property(arbConstantMembership, (scenario) => {
        const machine = new VirtualMachine(virtually(scenario));
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

describe("a run repeats itself", () => {
  test("the same scenario gives identical figures", () => {
    fc.assert(
      fc.property(arbScenario, (scenario) => {
        assert.deepEqual(runVirtually(scenario), runVirtually(scenario));
      }),
      { numRuns: 50 },
    );
  });
});
