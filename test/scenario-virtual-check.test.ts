import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defaultScenario } from "../src/engine/default-scenario.js";
import { findOptionProblems } from "../src/engine/options-check.js";
import type { EmulateOptions } from "../src/engine/result.js";
import type { Scenario, TimelineEvent } from "../src/engine/scenario.js";
import { checkScenario, findProblems, scenarioWarnings } from "../src/engine/scenario-check.js";
import { MAX_TIME_NS, NS_PER_MS, NS_PER_SECOND, TWO_POW_32 } from "../src/shared/units.js";
import { MACHINE } from "./cli-helpers.js";

/** What a program may ask of either engine: scenarios that come by no command line. */

const REAL: Scenario = defaultScenario(2);
const VIRTUAL: Scenario = { ...REAL, engine: "virtual", seed: 7 };

const chance = (changes: Partial<Scenario["chance"]>) => ({ chance: { ...VIRTUAL.chance, ...changes } });
const paths = (scenario: Scenario) => findProblems(scenario, MACHINE).map(({ path }) => path);
const messages = (scenario: Scenario) => findProblems(scenario, MACHINE).map(({ message }) => message);

const ms = (figure: number) => figure * NS_PER_MS;
const offline = (atMs: number, forMs: number, vcpu = 0): TimelineEvent => ({
  kind: "offline",
  atNs: ms(atMs),
  forNs: ms(forMs),
  vcpu,
});
const suspend = (atMs: number, forMs: number): TimelineEvent => ({ kind: "suspend", atNs: ms(atMs), forNs: ms(forMs) });
const migrate = (atMs: number, forMs: number, tscKhz = 2_000_000): TimelineEvent => ({
  kind: "migrate",
  atNs: ms(atMs),
  forNs: ms(forMs),
  stealFeature: true,
  tscKhz,
});

describe("a scenario of the virtual engine", () => {
  test("is fine at the limits", () => {
    checkScenario(VIRTUAL, MACHINE);
    checkScenario({ ...VIRTUAL, seed: TWO_POW_32 - 1 }, MACHINE);
    checkScenario({ ...VIRTUAL, startAtNs: MAX_TIME_NS - VIRTUAL.durationNs }, MACHINE);
    const most = { jitterPercent: 50, wakeLatencyNs: NS_PER_SECOND, hostNoiseNs: NS_PER_SECOND };
    checkScenario({ ...VIRTUAL, chance: most }, MACHINE);
    checkScenario({ ...defaultScenario(100_000), engine: "virtual", pcpus: 100_000 }, MACHINE);
  });

  const BAD: readonly (readonly [path: string, changes: Partial<Scenario>])[] = [
    ["seed", { seed: -1 }],
    ["seed", { seed: TWO_POW_32 }],
    ["seed", { seed: 1.5 }],
    ["seed", { seed: Number.NaN }],
    ["chance.jitterPercent", chance({ jitterPercent: 51 })],
    ["chance.jitterPercent", chance({ jitterPercent: 2.5 })],
    ["chance.wakeLatencyNs", chance({ wakeLatencyNs: NS_PER_SECOND + 1 })],
    ["chance.hostNoiseNs", chance({ hostNoiseNs: -1 })],
    ["startAtNs", { startAtNs: -1 }],
    ["startAtNs", { startAtNs: MAX_TIME_NS - VIRTUAL.durationNs + 1 }],
    ["startAtNs", { startAtNs: 0.5 }],
    ["host", { host: "linux", pcpus: 0, measure: "wait" }],
    ["faults", { faults: [{ kind: "throw", part: 0, afterNs: 0 }] }],
    ["vcpus", { vcpus: defaultScenario(100_001).vcpus }],
    ["pcpus", { pcpus: 100_001 }],
    // As a program without types could say them.
    ["engine", { engine: "kvm" as Scenario["engine"] }],
    ["pageMemory", { pageMemory: "full" as Scenario["pageMemory"] }],
    ["timeline.0.kind", { timeline: [{ ...suspend(1, 1), kind: "halt" } as unknown as TimelineEvent] }],
  ];
  for (const [index, [path, changes]] of BAD.entries()) {
    test(`${index}: bad ${path} is refused`, () => assert.deepEqual(paths({ ...VIRTUAL, ...changes }), [path]));
  }

  test("a start that leaves no room says where it could be", () => {
    const [message = ""] = messages({ ...VIRTUAL, startAtNs: MAX_TIME_NS - NS_PER_SECOND });
    assert.match(message, /end beyond 100d; accepted: at most 100d together, here a start at 8639997s or earlier$/);
  });

  test("knows no cores and takes little memory", () => {
    const wide: Scenario = { ...VIRTUAL, pcpus: 64 };
    assert.deepEqual(scenarioWarnings(wide, { ...MACHINE, cores: 1 }), []);
    assert.equal(scenarioWarnings({ ...wide, engine: "real" }, { ...MACHINE, cores: 1 }).length, 1);
    const many: Scenario = { ...defaultScenario(1000), engine: "virtual" };
    const enough = 128_000_000 + 1000 * 24_000;
    checkScenario(many, { ...MACHINE, availableBytes: enough });
    const [problem] = findProblems(many, { ...MACHINE, availableBytes: enough - 1 });
    assert.match(problem?.message ?? "", /^1000 vCPUs need about 152 MB .*; accepted: at most 999 vCPUs/);
  });
});

describe("a scenario of the real engine", () => {
  const BAD: readonly (readonly [path: string, changes: Partial<Scenario>])[] = [
    ["seed", { seed: 1 }],
    ["chance.jitterPercent", chance({ jitterPercent: 1 })],
    ["chance.wakeLatencyNs", chance({ wakeLatencyNs: 1 })],
    ["chance.hostNoiseNs", chance({ hostNoiseNs: 1 })],
    ["startAtNs", { startAtNs: 1 }],
    ["timeline", { timeline: [suspend(1, 1)] }],
    ["vcpus", { vcpus: defaultScenario(1025).vcpus }],
    ["pcpus", { pcpus: 1025 }],
  ];
  for (const [path, changes] of BAD) {
    test(`has no ${path} of the virtual one`, () => {
      assert.deepEqual(paths({ ...REAL, ...changes }), [path]);
      assert.deepEqual(paths({ ...VIRTUAL, ...changes }), []);
    });
  }

  test("a limit says whose it is", () => {
    const [message] = messages({ ...REAL, pcpus: 1025 });
    assert.match(message ?? "", /1 to 1024 in the real engine, 1 to 100000 in the virtual one$/);
  });
});

describe("a timeline", () => {
  const withTimeline = (...timeline: TimelineEvent[]): Scenario => ({ ...VIRTUAL, timeline });

  test("may hold what does not meet", () => {
    const events = [
      suspend(0, 1),
      offline(2, 100, 0),
      offline(2, 100, 1),
      migrate(50, 10),
      offline(103, 10, 0),
      suspend(1000, 10_000),
    ];
    checkScenario(withTimeline(...events), MACHINE);
    checkScenario(withTimeline(suspend(0, 1), { ...suspend(1, 1), atNs: ms(1) + 1 }), MACHINE);
    const thousand = Array.from({ length: 1000 }, (_, index) => suspend(2 * index, 1));
    checkScenario(withTimeline(...thousand), MACHINE);
  });

  const BAD: readonly (readonly [what: string, paths: string[], ...events: TimelineEvent[]])[] = [
    ["at the end", ["timeline.0.atNs"], suspend(3000, 1)],
    ["before the start", ["timeline.0.atNs"], suspend(-1, 1)],
    ["for no time", ["timeline.0.forNs"], offline(1, 0)],
    ["for less than 1us", ["timeline.0.forNs"], offline(1, 0.000_999)],
    ["for more than 100 days", ["timeline.0.forNs"], suspend(1, 100 * 86_400_000 + 1)],
    ["of a vCPU that is not there", ["timeline.0.vcpu"], offline(1, 1, 2)],
    ["of vCPU -1", ["timeline.0.vcpu"], offline(1, 1, -1)],
    ["to a TSC of no known frequency", ["timeline.0.tscKhz"], migrate(1, 1, 5)],
    ["two that overlap", ["timeline.1.atNs"], suspend(1, 10), migrate(5, 1)],
    ["two that touch", ["timeline.1.atNs"], suspend(1, 10), suspend(11, 1)],
    ["one within one that lies before another", ["timeline.1.atNs"], migrate(1, 10), suspend(2, 1), suspend(20, 1)],
    ["offline twice", ["timeline.2.atNs"], offline(1, 10, 0), offline(5, 1, 1), offline(6, 1, 0)],
    ["not in order", ["timeline.1.atNs"], suspend(20, 1), suspend(10, 1)],
  ];
  for (const [what, expected, ...events] of BAD) {
    test(`an event ${what} is refused`, () => assert.deepEqual(paths(withTimeline(...events)), expected));
  }

  test("of more than 1000 events is refused", () => {
    const many = Array.from({ length: 1001 }, (_, index) => suspend(2 * index, 1));
    assert.deepEqual(paths(withTimeline(...many)), ["timeline"]);
  });

  test("an overlap says when it is over", () => {
    const [message] = messages(withTimeline(offline(5, 10, 1), offline(15, 1, 1)));
    assert.equal(message, "offline at 15ms, when vCPU 1 is offline from 5ms to 15ms; accepted: later than 15ms");
  });
});

describe("the options of a run", () => {
  const found = (scenario: Scenario, options: EmulateOptions) =>
    findOptionProblems(scenario, options).map(({ path }) => path);
  const ALL: EmulateOptions = {
    untilNs: VIRTUAL.durationNs,
    dumpPages: "pages",
    events: { file: "events", maxBytes: 1 },
    checks: false,
  };

  test("are the virtual engine's", () => {
    assert.deepEqual(found(VIRTUAL, ALL), []);
    assert.deepEqual(found(REAL, ALL), ["untilNs", "dumpPages", "events", "checks"]);
    assert.deepEqual(found(REAL, { sampleNs: 1, onSample: () => {}, onLog: () => {} }), []);
  });

  test("audit the reads of either engine, and not where nothing is checked", () => {
    for (const scenario of [REAL, VIRTUAL]) assert.deepEqual(found(scenario, { checkProtocol: true }), []);
    for (const checks of [true, "full"] as const) {
      assert.deepEqual(found(VIRTUAL, { checks, checkProtocol: true }), []);
    }
    assert.deepEqual(found(VIRTUAL, { checks: false, checkProtocol: true }), ["checkProtocol"]);
    assert.deepEqual(found(VIRTUAL, { checks: false, checkProtocol: false }), []);
  });

  test("have limits", () => {
    assert.deepEqual(found(VIRTUAL, { untilNs: VIRTUAL.durationNs + 1 }), ["untilNs"]);
    assert.deepEqual(found(VIRTUAL, { untilNs: -1 }), ["untilNs"]);
    assert.deepEqual(found(VIRTUAL, { untilNs: 0.5 }), ["untilNs"]);
    assert.deepEqual(found(VIRTUAL, { events: { file: "events", maxBytes: 0 } }), ["events"]);
  });
});
