import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { SCENARIO_FOLDER } from "../src/cli/package-root.js";
import { parseScenario, readScenarioFile, type SettingsSource, shippedScenarios } from "../src/cli/scenario-file.js";
import { printScenario } from "../src/cli/scenario-print.js";
import { resolveScenario } from "../src/cli/scenario-resolve.js";
import { SCHEMA_FILE, scenarioJsonSchema } from "../src/cli/write-scenario-schema.js";
import { staggeredPhaseNs } from "../src/engine/default-scenario.js";
import type { Scenario } from "../src/engine/scenario.js";
import { cli, MACHINE } from "./cli-helpers.js";

const NO_FLAGS: SettingsSource = { settings: {}, where: () => "" };
const fromText = (text: string) => resolveScenario(NO_FLAGS, parseScenario(text, "x.yaml"), MACHINE).scenario;

async function fromFlags(args: string, cores = MACHINE.cores): Promise<Scenario> {
  const argv = ["emulate", ...args.split(" ").filter((word) => word !== "")];
  const { scenario, stderr } = await cli(argv, { machine: () => ({ ...MACHINE, cores }) });
  assert.ok(scenario !== null, stderr);
  return scenario;
}

/** Plain objects, so that they compare equal to those that were read. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const NO_CHANCE = { jitterPercent: 0, wakeLatencyNs: 0, hostNoiseNs: 0 };
/** What is said of the virtual engine alone. */
const NOTHING_VIRTUAL = { seed: 0, chance: NO_CHANCE, startAtNs: 0, timeline: [] } as const;

test("the defaults", async () => {
  assert.deepEqual(await fromFlags(""), {
    ...NOTHING_VIRTUAL,
    engine: "real",
    pageMemory: "zero",
    host: "fair",
    durationNs: 3_000_000_000,
    pcpus: 1,
    sliceNs: 4_000_000,
    update: { kind: "entry" },
    measure: "out-of-guest",
    stealUnit: "ms",
    stealFeature: true,
    accounting: "rfc-v2",
    hz: 250,
    tscKhz: 2_600_000,
    watchdog: { mode: "steal-aware", thresholdNs: 20_000_000_000, periodNs: 4_000_000_000 },
    pollNs: 1_000_000,
    vcpus: [
      { workload: { kind: "hog" }, nice: 0, pcpus: null, tickPhaseNs: 1_000_000, gpa: null },
      { workload: { kind: "hog" }, nice: 0, pcpus: null, tickPhaseNs: 3_000_000, gpa: null },
    ],
    hostTasks: [],
    faults: [],
  });
});

test("default pCPUs: half the vCPUs, at least 1, at most the cores less one", async () => {
  const pcpus = async (vcpus: number, cores: number) => (await fromFlags(`--vcpus ${vcpus}`, cores)).pcpus;
  assert.equal(await pcpus(1, 8), 1);
  assert.equal(await pcpus(2, 8), 1);
  assert.equal(await pcpus(7, 8), 3);
  assert.equal(await pcpus(8, 8), 4);
  assert.equal(await pcpus(64, 8), 7);
  assert.equal(await pcpus(64, 1), 1);
  assert.equal((await fromFlags("--vcpus 8 --pcpus 6", 2)).pcpus, 6);
});

test("tick phases are spread over a tick", () => {
  assert.deepEqual(
    [0, 1, 2].map((id) => staggeredPhaseNs(id, 3, 3_333_333)),
    [555_555, 1_666_666, 2_777_777],
  );
});

test("every flag reaches the scenario", async () => {
  const scenario = await fromFlags(
    "--vcpus 5 --duration 1.5s --pcpus 3 --slice 2ms --update periodic=1ms --measure wait --steal-unit ns " +
      "--no-steal-feature --accounting mainline --hz 1000 --tick-phase 250us --tsc-khz 2000000 --watchdog plain " +
      "--watchdog-threshold 10s --watchdog-period 1s --workload kernel,4=idle --nice 0=5,1-3=-5 --pin 0=0,1-3=0-1 " +
      "--host-task hog --host-task duty:50%/10ms@nice=5,pcpus=0-1",
  );
  const vcpu = { workload: { kind: "kernel" }, nice: -5, pcpus: [0, 1], tickPhaseNs: 250_000, gpa: null };
  assert.deepEqual(scenario, {
    ...NOTHING_VIRTUAL,
    engine: "real",
    pageMemory: "zero",
    host: "fair",
    durationNs: 1_500_000_000,
    pcpus: 3,
    sliceNs: 2_000_000,
    update: { kind: "periodic", periodNs: 1_000_000 },
    measure: "wait",
    stealUnit: "ns",
    stealFeature: false,
    accounting: "mainline",
    hz: 1000,
    tscKhz: 2_000_000,
    watchdog: { mode: "plain", thresholdNs: 10_000_000_000, periodNs: 1_000_000_000 },
    pollNs: 1_000_000,
    vcpus: [
      { ...vcpu, nice: 5, pcpus: [0] },
      vcpu,
      vcpu,
      vcpu,
      { ...vcpu, workload: { kind: "idle" }, nice: 0, pcpus: null },
    ],
    hostTasks: [
      { workload: { kind: "hog" }, nice: 0, pcpus: null },
      { workload: { kind: "duty", busyNs: 5_000_000, periodNs: 10_000_000 }, nice: 5, pcpus: [0, 1] },
    ],
    faults: [],
  });
});

test("the linux host has no pCPUs and measures waiting", async () => {
  const scenario = await fromFlags("--host linux --poll 5ms");
  assert.equal(scenario.pcpus, 0);
  assert.equal(scenario.measure, "wait");
  assert.deepEqual(scenario.update, { kind: "entry" });
  assert.equal(scenario.pollNs, 5_000_000);
});

test("a file sets each vCPU", () => {
  const { vcpus } = fromText(`
pcpus: 4
nice: 3
workload: idle
vcpus:
  - { workload: "duty:7ms/10ms", nice: -3, pcpus: [2, 0], phase: 1us, gpa: 0x1000 }
  - count: 2
    pcpus: 1-2
  - {}
`);
  assert.deepEqual(vcpus, [
    { workload: { kind: "duty", busyNs: 7e6, periodNs: 1e7 }, nice: -3, pcpus: [0, 2], tickPhaseNs: 1000, gpa: 4096 },
    { workload: { kind: "idle" }, nice: 3, pcpus: [1, 2], tickPhaseNs: 1_500_000, gpa: null },
    { workload: { kind: "idle" }, nice: 3, pcpus: [1, 2], tickPhaseNs: 2_500_000, gpa: null },
    { workload: { kind: "idle" }, nice: 3, pcpus: null, tickPhaseNs: 3_500_000, gpa: null },
  ]);
});

test("flags win over the file; vCPUs that they do not name keep what the file says", async () => {
  const folder = SCENARIO_FOLDER;
  const pinned = await fromFlags(`--scenario ${join(folder, "pinned-smp.yaml")} --workload 1=idle --update entry`);
  assert.deepEqual(
    pinned.vcpus.map(({ workload, pcpus }) => [workload.kind, pcpus]),
    [
      ["hog", [0]],
      ["idle", [0]],
    ],
  );
  assert.deepEqual(pinned.update, { kind: "entry" });

  const grown = await fromFlags("--scenario stuck-softlockup --vcpus 2 --host-task hog@nice=1");
  assert.deepEqual(
    grown.vcpus.map(({ workload }) => workload.kind),
    ["stuck", "hog"],
  );
  assert.deepEqual(
    grown.hostTasks.map(({ nice }) => nice),
    [1],
  );
});

test("a flag can turn the steal feature on again", () => {
  assert.equal(fromText("stealFeature: false").stealFeature, false);
  const file = parseScenario("stealFeature: false", "x.yaml");
  const flags = { settings: { stealFeature: true }, where: () => "--steal-feature" };
  assert.equal(resolveScenario(flags, file, MACHINE).scenario.stealFeature, true);
});

test("the watchdog period follows the threshold unless it is given", () => {
  assert.equal(fromText("watchdogThreshold: 60s").watchdog.periodNs, 12_000_000_000);
  assert.equal(fromText("{ watchdogThreshold: 60s, watchdogPeriod: 1s }").watchdog.periodNs, 1_000_000_000);
});

test("what is printed reads back as the same scenario, by hand", async () => {
  const argv =
    "emulate --print-config --vcpus 4 --tick-phase 1ms --workload duty:70%/10ms,3=idle --nice 1=5 --pin 2=0 --host-task hog@nice=-5,pcpus=0";
  const printed = await cli(argv.split(" "));
  assert.equal(printed.exitCode, 0);
  assert.equal(printed.scenario, null, "nothing is run");
  const asked = await fromFlags(argv.replace("emulate --print-config ", ""));
  assert.deepEqual(fromText(printed.stdout), asked);
  assert.equal(printScenario(fromText(printed.stdout)), printed.stdout);
});

test("what is printed reads back as the same scenario, whatever it is", () => {
  const ns = (min: number, max: number) => fc.integer({ min, max });
  const workload = fc.oneof(
    fc.constantFrom("hog", "kernel", "mixed", "idle", "stuck").map((kind) => ({ kind })),
    fc.tuple(ns(1e6, 1e10), ns(1, 98), ns(0, 1000)).map(([periodNs, percent, extraNs]) => ({
      kind: "duty",
      busyNs: Math.floor((periodNs * percent) / 100) + extraNs,
      periodNs,
    })),
  ) as fc.Arbitrary<Scenario["vcpus"][number]["workload"]>;
  const hostWorkload = workload.filter(({ kind }) => kind === "hog" || kind === "duty") as fc.Arbitrary<
    Scenario["hostTasks"][number]["workload"]
  >;
  const pcpus = fc.option(fc.uniqueArray(ns(0, 3), { minLength: 1 }).map((set) => set.toSorted((a, b) => a - b)));
  const nice = ns(-20, 19);
  // Above every page of the guest's own choice, and told apart by the vCPU's number below.
  const gpa = fc.option(ns(1, 2 ** 40).map((page) => page * 4096));
  const vcpu = record({ workload, nice, pcpus, tickPhaseNs: ns(0, 999_999), gpa });
  const fair: fc.Arbitrary<Scenario> = record({
    engine: fc.constant("real" as const),
    seed: fc.constant(0),
    host: fc.constant("fair" as const),
    durationNs: ns(2e6, 1e12),
    pcpus: ns(4, 1024),
    sliceNs: ns(1e5, 1e10),
    update: fc.oneof(
      fc.constant({ kind: "entry" as const }),
      fc.constant({ kind: "pcpu-change" as const }),
      fc.constant({ kind: "steal-entry" as const }),
      ns(1e5, 1e9).map((periodNs) => ({ kind: "periodic" as const, periodNs })),
    ),
    measure: fc.constantFrom("out-of-guest", "wait"),
    stealUnit: fc.constantFrom("ms", "ns"),
    stealFeature: fc.boolean(),
    accounting: fc.constantFrom("none", "rfc-v2", "mainline"),
    hz: fc.constantFrom(100, 250, 300, 1000),
    tscKhz: ns(100_000, 10_000_000),
    watchdog: record({
      mode: fc.constantFrom("steal-aware", "plain"),
      thresholdNs: ns(1e9 + 1, 1e11),
      periodNs: ns(1e6, 1e9),
    }),
    pollNs: fc.constant(1_000_000),
    vcpus: fc
      .array(vcpu, { minLength: 1, maxLength: 6 })
      .map((vcpus) =>
        vcpus.map((each, id) => ({ ...each, gpa: each.gpa === null ? null : each.gpa + 2 ** 20 + 2 * id })),
      ),
    hostTasks: fc.array(record({ workload: hostWorkload, nice, pcpus }), { maxLength: 3 }),
    faults: fc.array(
      record({
        part: fc.constantFrom<number | "hypervisor">(0, "hypervisor"),
        kind: fc.constantFrom("throw", "exit", "out-of-memory"),
        afterNs: ns(0, 1e6),
      }),
      { maxLength: 2 },
    ),
    chance: fc.constant(NO_CHANCE),
    startAtNs: fc.constant(0),
    timeline: fc.constant([]),
    pageMemory: fc.constant("zero" as const),
  });
  fc.assert(fc.property(fair, (scenario) => assert.deepEqual(fromText(printScenario(scenario)), scenario)));

  const asLinux = (scenario: Scenario): Scenario => ({
    ...scenario,
    host: "linux",
    pcpus: 0,
    sliceNs: 4_000_000,
    measure: "wait",
    update: { kind: "entry" },
    pollNs: scenario.watchdog.periodNs,
    hostTasks: [],
    vcpus: scenario.vcpus.map((one) => ({ ...one, nice: 0, pcpus: null })),
  });
  fc.assert(
    fc.property(fair.map(asLinux), (scenario) => assert.deepEqual(fromText(printScenario(scenario)), scenario)),
  );
});

test("every shipped scenario resolves, says what it shows and names its schema", () => {
  const names = shippedScenarios();
  for (const expected of [
    "default",
    "rfc-report-1",
    "rfc-report-3",
    "four-hogs-one-pcpu",
    "pinned-smp",
    "bogus-softlockup",
  ]) {
    assert.ok(names.includes(expected), expected);
  }
  for (const name of names) {
    const file = readScenarioFile(name);
    resolveScenario(NO_FLAGS, file, { ...MACHINE, cores: 2 });
    assert.ok(file.settings.description, name);
    const text = readFileSync(join(SCENARIO_FOLDER, `${name}.yaml`), "utf8");
    assert.ok(text.startsWith("# yaml-language-server: $schema=./scenario.schema.json\n# "), name);
  }
});

test("the default scenario is what a run without flags does", async () => {
  assert.deepEqual(await fromFlags("--scenario default"), await fromFlags(""));
});

test("the shipped JSON Schema is the one of the code", () => {
  const hint = "write it with: node dist/src/cli/write-scenario-schema.js";
  assert.equal(readFileSync(SCHEMA_FILE, "utf8"), scenarioJsonSchema(), hint);
});
