import assert from "node:assert/strict";
import { test } from "node:test";
import type { Scenario, VcpuConfig } from "../src/engine/scenario.js";
import type { Machine } from "../src/engine/machine.js";
import { checkScenario, findProblems, scenarioWarnings } from "../src/engine/scenario-check.js";
import { StealclockError } from "../src/shared/errors.js";
import { MACHINE } from "./cli-helpers.js";

const VCPU: VcpuConfig = { workload: { kind: "hog" }, nice: 0, pcpus: null, tickPhaseNs: 0, gpa: null };

const GOOD: Scenario = {
  host: "fair",
  durationNs: 1_000_000_000,
  pcpus: 2,
  sliceNs: 4_000_000,
  update: { kind: "entry" },
  measure: "out-of-guest",
  stealUnit: "ms",
  stealFeature: true,
  accounting: "mainline",
  hz: 1000,
  tscKhz: 2_600_000,
  watchdog: { mode: "plain", thresholdNs: 2_000_000_000, periodNs: 1_000_000_000 },
  pollNs: 1_000_000,
  vcpus: [VCPU, { ...VCPU, pcpus: [0, 1] }],
  hostTasks: [{ workload: { kind: "duty", busyNs: 1_000_000, periodNs: 2_000_000 }, nice: -20, pcpus: [1] }],
  faults: [{ part: 1, kind: "throw", afterNs: 0 }],
};

const LINUX: Scenario = { ...GOOD, host: "linux", pcpus: 0, measure: "wait", vcpus: [VCPU], hostTasks: [], faults: [] };

const withVcpu = (changes: Partial<VcpuConfig>): Scenario => ({ ...GOOD, vcpus: [VCPU, { ...VCPU, ...changes }] });
const paths = (scenario: Scenario, machine: Machine = MACHINE) =>
  findProblems(scenario, machine).map(({ path }) => path);

test("scenarios at the limits are fine", () => {
  checkScenario(GOOD, MACHINE);
  checkScenario(LINUX, MACHINE);
  checkScenario({ ...GOOD, sliceNs: 100_000 }, MACHINE);
  checkScenario({ ...GOOD, sliceNs: 10_000_000_000, durationNs: 100 * 86_400e9 }, MACHINE);
  checkScenario(withVcpu({ gpa: Number.MAX_SAFE_INTEGER - 1, tickPhaseNs: 999_999, nice: 19 }), MACHINE);
  checkScenario({ ...GOOD, vcpus: Array.from({ length: 1024 }, () => VCPU) }, MACHINE);
});

/** What is wrong, and the field that is named for it. */
const BAD: readonly (readonly [path: string, scenario: Scenario])[] = [
  ["durationNs", { ...GOOD, durationNs: 100 * 86_400e9 + 1 }],
  ["durationNs", { ...GOOD, durationNs: 1_000_000.5 }],
  ["durationNs", { ...GOOD, durationNs: Number.NaN, faults: [] }],
  ["vcpus", { ...GOOD, vcpus: [], faults: [] }],
  ["vcpus", { ...GOOD, vcpus: Array.from({ length: 1025 }, () => VCPU) }],
  ["pcpus", { ...GOOD, pcpus: 1025 }],
  ["sliceNs", { ...GOOD, sliceNs: 99_999 }],
  ["sliceNs", { ...GOOD, sliceNs: 10_000_000_001 }],
  ["pollNs", { ...LINUX, pollNs: 1_000_000_001 }],
  ["update", { ...GOOD, update: { kind: "periodic", periodNs: 99_999 } }],
  ["tscKhz", { ...GOOD, tscKhz: 10_000_001 }],
  ["hz", { ...GOOD, hz: 1024 as 1000 }],
  ["watchdog.periodNs", { ...GOOD, watchdog: { ...GOOD.watchdog, periodNs: 2_000_000_000 } }],
  ["watchdog.thresholdNs", { ...GOOD, watchdog: { ...GOOD.watchdog, thresholdNs: Number.POSITIVE_INFINITY } }],
  ["vcpus.1.nice", withVcpu({ nice: -21 })],
  ["vcpus.1.tickPhaseNs", withVcpu({ tickPhaseNs: 1_000_000 })],
  ["vcpus.1.tickPhaseNs", withVcpu({ tickPhaseNs: -1 })],
  ["vcpus.1.gpa", withVcpu({ gpa: -1 })],
  ["vcpus.1.gpa", withVcpu({ gpa: 2 ** 53 })],
  ["vcpus.1.gpa", withVcpu({ gpa: 0x1041 })],
  // As a program without types could say them.
  ["accounting", { ...GOOD, accounting: "cfs" as Scenario["accounting"] }],
  ["vcpus.1.workload", withVcpu({ workload: { kind: "hgo" } as unknown as VcpuConfig["workload"] })],
  ["vcpus.1.gpa", withVcpu({ gpa: 64 })],
  // vCPU 0's own choice: the first page after the kernel's.
  ["vcpus.1.gpa", withVcpu({ gpa: 0x1000 })],
  ["vcpus.1.pcpus", withVcpu({ pcpus: [2] })],
  ["vcpus.1.pcpus", withVcpu({ pcpus: [] })],
  ["vcpus.1.workload", withVcpu({ workload: { kind: "duty", busyNs: 2_000_000, periodNs: 2_000_000 } })],
  ["vcpus.1.workload", withVcpu({ workload: { kind: "duty", busyNs: 500_000, periodNs: 999_999 } })],
  ["hostTasks.0.pcpus", { ...GOOD, hostTasks: [{ workload: { kind: "hog" }, nice: 0, pcpus: [5] }] }],
  ["hostTasks.0.nice", { ...GOOD, hostTasks: [{ workload: { kind: "hog" }, nice: 20, pcpus: null }] }],
  ["faults.0.part", { ...GOOD, faults: [{ part: 2, kind: "exit", afterNs: 0 }] }],
  ["faults.0.part", { ...GOOD, faults: [{ part: -1, kind: "exit", afterNs: 0 }] }],
  ["faults.0.afterNs", { ...GOOD, faults: [{ part: "hypervisor", kind: "exit", afterNs: 1_000_000_000 }] }],
  ["pcpus", { ...LINUX, pcpus: 1 }],
  ["measure", { ...LINUX, measure: "out-of-guest" }],
  ["update", { ...LINUX, update: { kind: "pcpu-change" } }],
  ["hostTasks", { ...LINUX, hostTasks: [{ workload: { kind: "hog" }, nice: 0, pcpus: null }] }],
  ["vcpus.0.nice", { ...LINUX, vcpus: [{ ...VCPU, nice: 1 }] }],
  ["vcpus.0.pcpus", { ...LINUX, vcpus: [{ ...VCPU, pcpus: [0] }] }],
];

for (const [index, [path, scenario]] of BAD.entries()) {
  test(`${index}: bad ${path} is refused`, () => assert.deepEqual(paths(scenario), [path]));
}

test("the error has the code, the place and what is accepted", () => {
  assert.throws(
    () => checkScenario({ ...GOOD, sliceNs: 1 }, MACHINE),
    (error) => {
      assert.ok(error instanceof StealclockError);
      assert.equal(error.code, "bad-input");
      assert.equal(error.message, "sliceNs: slice 1ns is out of range; accepted: 100us to 10s");
      return true;
    },
  );
});

test("a machine without Linux or schedstat is unsupported, not bad input", () => {
  const codes = (machine: Machine) => findProblems(LINUX, machine).map(({ code }) => code);
  assert.deepEqual(codes({ ...MACHINE, platform: "win32" }), ["unsupported"]);
  assert.deepEqual(codes({ ...MACHINE, schedstat: false }), ["unsupported"]);
  checkScenario(GOOD, { ...MACHINE, platform: "win32", schedstat: false });
});

test("every vCPU needs its memory", () => {
  const forTwo = 64_000_000 + 2 * 9_000_000;
  checkScenario(GOOD, { ...MACHINE, availableBytes: forTwo });
  assert.deepEqual(paths(GOOD, { ...MACHINE, availableBytes: forTwo - 1 }), ["vcpus"]);
});

test("many problems are cut short", () => {
  const vcpus = Array.from({ length: 10 }, () => ({ ...VCPU, nice: 99 }));
  assert.throws(() => checkScenario({ ...GOOD, vcpus }, MACHINE), /vcpus\.4\.nice: nice 99 .*\nand 5 more$/s);
});

test("more pCPUs than the cores leave is a warning, not a refusal", () => {
  const machine = { ...MACHINE, cores: 2 };
  checkScenario(GOOD, machine);
  assert.deepEqual(scenarioWarnings({ ...GOOD, pcpus: 1 }, machine), []);
  assert.match(scenarioWarnings(GOOD, machine).join(), /2 pCPUs on 2 cores/);
  assert.match(scenarioWarnings(GOOD, { ...machine, cores: 1 }).join(), /2 pCPUs on 1 core:/);
  assert.deepEqual(scenarioWarnings(LINUX, machine), []);
});
