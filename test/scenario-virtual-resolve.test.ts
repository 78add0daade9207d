import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseScenario, type SettingsSource } from "../src/cli/scenario-file.js";
import { printScenario } from "../src/cli/scenario-print.js";
import { type ResolvedScenario, resolveScenario } from "../src/cli/scenario-resolve.js";
import { SettingLayers } from "../src/cli/setting-layers.js";
import { VCPU_FIELDS } from "../src/cli/vcpu-fields.js";
import { staggeredPhaseNs } from "../src/engine/default-scenario.js";
import type { Scenario, TimelineEvent } from "../src/engine/scenario.js";
import { randomPhasesNs } from "../src/engine/virtual/random-streams.js";
import { NS_PER_MS, NS_PER_SECOND, TWO_POW_32, tickNsecOf } from "../src/shared/units.js";
import { cli, DRAWN_SEED, MACHINE } from "./cli-helpers.js";

/** Flags and files of the virtual engine, resolved and printed. */

const NO_FLAGS: SettingsSource = { settings: {}, where: () => "" };
const resolve = (text: string): ResolvedScenario =>
  resolveScenario(NO_FLAGS, parseScenario(text, "x.yaml"), MACHINE, () => DRAWN_SEED);
const fromText = (text: string): Scenario => resolve(text).scenario;

async function fromFlags(args: string, cores = MACHINE.cores): Promise<Scenario> {
  const argv = ["emulate", "--engine", "virtual", ...args.split(" ").filter((word) => word !== "")];
  const { scenario, stderr } = await cli(argv, { machine: () => ({ ...MACHINE, cores }) });
  assert.ok(scenario !== null, stderr);
  return scenario;
}

const phasesOf = ({ vcpus }: Scenario) => vcpus.map(({ tickPhaseNs }) => tickPhaseNs);
const TICK_NS = tickNsecOf(250);

describe("flags", () => {
  test("reach the scenario", async () => {
    const scenario = await fromFlags(
      "--seed 4294967295 --start-at 49d --jitter 10% --wake-latency 50us --host-noise 1s --page-memory junk",
    );
    assert.equal(scenario.engine, "virtual");
    assert.equal(scenario.seed, TWO_POW_32 - 1);
    assert.equal(scenario.startAtNs, 49 * 86_400 * NS_PER_SECOND);
    assert.deepEqual(scenario.chance, { jitterPercent: 10, wakeLatencyNs: 50_000, hostNoiseNs: NS_PER_SECOND });
    assert.equal(scenario.pageMemory, "junk");
    assert.deepEqual(scenario.timeline, []);
  });

  test("that are not given leave nothing to chance but the seed and what follows from it", async () => {
    const { seed, chance, startAtNs, pageMemory, pcpus } = await fromFlags("");
    assert.deepEqual(chance, { jitterPercent: 0, wakeLatencyNs: 0, hostNoiseNs: 0 });
    assert.deepEqual([seed, startAtNs, pageMemory, pcpus], [DRAWN_SEED, 0, "zero", 1]);
  });

  test("of the machine's cores nothing enters", async () => {
    const { stderr } = await cli(["emulate", "--engine", "virtual", "--vcpus", "64"], {
      machine: () => ({ ...MACHINE, cores: 1 }),
    });
    assert.ok(!stderr.includes("core"), stderr);
    assert.deepEqual(await fromFlags("--vcpus 64", 1), await fromFlags("--vcpus 64", 64));
    assert.equal((await fromFlags("--vcpus 64", 1)).pcpus, 32);
    assert.equal((await fromFlags("--vcpus 1", 1)).pcpus, 1);
  });

  test("win over the file", () => {
    const file = parseScenario("engine: virtual\nseed: 5\njitter: 3%\nduration: 1s\n", "x.yaml");
    const flags: SettingsSource = { settings: { seed: 6 }, where: () => "--seed" };
    const { scenario, seedDrawn } = resolveScenario(flags, file, MACHINE, () => DRAWN_SEED);
    assert.deepEqual([scenario.seed, scenario.chance.jitterPercent, seedDrawn], [6, 3, false]);
  });
});

describe("tick phases", () => {
  test("are random in the virtual engine, staggered in the real one", async () => {
    assert.deepEqual(phasesOf(await fromFlags("--vcpus 3 --seed 9")), randomPhasesNs(9, 3, TICK_NS));
    const staggered = [0, 1, 2].map((id) => staggeredPhaseNs(id, 3, TICK_NS));
    assert.deepEqual(phasesOf(await fromFlags("--vcpus 3 --seed 9 --tick-phase staggered")), staggered);
    assert.deepEqual(phasesOf(fromText("vcpus: 3")), staggered);
    assert.deepEqual(phasesOf(fromText("vcpus: 3\ntickPhase: staggered")), staggered);
  });

  test("of one vCPU do not depend on how many others there are", async () => {
    const few = phasesOf(await fromFlags("--vcpus 3 --seed 9"));
    const many = phasesOf(await fromFlags("--vcpus 50 --seed 9"));
    assert.deepEqual(many.slice(0, 3), few);
    assert.equal(new Set(many).size, 50);
    assert.notDeepEqual(phasesOf(await fromFlags("--vcpus 3 --seed 10")), few);
  });

  test("of one vCPU may be set by itself", () => {
    const scenario = fromText("{ engine: virtual, seed: 9, tickPhase: random, vcpus: [{}, { phase: 1us }, {}] }");
    const [first = -1, , third = -1] = randomPhasesNs(9, 3, TICK_NS);
    assert.deepEqual(phasesOf(scenario), [first, 1000, third]);
  });
});

describe("a timeline", () => {
  test("is put in order of time, and a move keeps what it does not change", () => {
    const { timeline } = fromText(`
engine: virtual
duration: 10s
tscKhz: 3000000
timeline:
  - { at: 3s, event: migrate, for: 50ms, tscKhz: 2000000 }
  - { at: 1s, event: offline, vcpu: 1, for: 500ms }
  - { at: 5s, event: migrate, for: 1us, stealFeature: false }
  - { at: 7s, event: migrate, for: 1ms }
  - { at: 2s, event: suspend, for: 200ms }
`);
    const at = (seconds: number, forNs: number) => ({ atNs: seconds * NS_PER_SECOND, forNs });
    assert.deepEqual(timeline, [
      { kind: "offline", ...at(1, 500 * NS_PER_MS), vcpu: 1 },
      { kind: "suspend", ...at(2, 200 * NS_PER_MS) },
      { kind: "migrate", ...at(3, 50 * NS_PER_MS), stealFeature: true, tscKhz: 2_000_000 },
      { kind: "migrate", ...at(5, 1000), stealFeature: false, tscKhz: 2_000_000 },
      { kind: "migrate", ...at(7, NS_PER_MS), stealFeature: false, tscKhz: 2_000_000 },
    ]);
  });

  test("that is wrong is told where the file says it, in whatever order", () => {
    const text = `
engine: virtual
timeline:
  - { at: 2s, event: suspend, for: 1s }
  - { at: 1s, event: suspend, for: 1s }
  - { at: 1500ms, event: offline, for: 1s, vcpu: 7 }
`;
    assert.throws(
      () => fromText(text),
      (error) => {
        assert.ok(error instanceof Error);
        assert.deepEqual(error.message.split("\n"), [
          "x.yaml:6:50: timeline[2].vcpu: there is no vCPU 7; accepted: there are vCPUs 0 to 1",
          "x.yaml:4:11: timeline[0].at: suspend at 2s, when the machine is at a standstill from 1s to 2s; accepted: later than 2s",
        ]);
        return true;
      },
    );
  });
});

describe("engines", () => {
  const engineOf = (text: string) => fromText(text).engine;

  test("the first is taken when none is asked for", () => {
    assert.equal(engineOf("engines: [virtual, real]"), "virtual");
    assert.equal(engineOf("engines: [real, virtual]"), "real");
    assert.equal(engineOf("{ engines: [real, virtual], engine: virtual }"), "virtual");
    assert.equal(engineOf("vcpus: 1"), "real");
  });

  test("one that is not in the list is a warning", () => {
    const file = parseScenario("engines: [real]\n", "x.yaml");
    const flags: SettingsSource = { settings: { engine: "virtual" }, where: () => "--engine" };
    const { scenario, warnings } = resolveScenario(flags, file, MACHINE, () => DRAWN_SEED);
    assert.equal(scenario.engine, "virtual");
    assert.deepEqual(warnings, ["x.yaml:1:10: engines: meant for the real engine, not for the virtual one"]);
    assert.deepEqual(resolve("engines: [real]").warnings, []);
  });
});

describe("what is printed", () => {
  const ns = (min: number, max: number) => fc.integer({ min, max });
  const spans = fc.array(fc.tuple(ns(1, 20), ns(1, 20)), { maxLength: 4 });

  /** One after the other, with a gap between two. */
  function events<T>(gaps: readonly (readonly [number, number])[], of: (atNs: number, forNs: number) => T): T[] {
    let endNs = 0;
    return gaps.map(([gapUs, forUs]) => {
      const atNs = endNs + gapUs * 1000;
      endNs = atNs + forUs * 1000;
      return of(atNs, forUs * 1000);
    });
  }

  const timeline = fc
    .tuple(spans, spans, spans, ns(100_000, 10_000_000))
    .map(([machine, first, second, tscKhz]): TimelineEvent[] => {
      const standstills = events(machine, (atNs, forNs): TimelineEvent => {
        const moves = forNs % 2000 === 0;
        const stealFeature = forNs % 3000 === 0;
        return moves ? { kind: "migrate", atNs, forNs, stealFeature, tscKhz } : { kind: "suspend", atNs, forNs };
      });
      const ofVcpu = (vcpu: number) => (atNs: number, forNs: number) =>
        ({ kind: "offline", atNs, forNs, vcpu }) as const;
      const all = [...standstills, ...events(first, ofVcpu(0)), ...events(second, ofVcpu(1))];
      return all.sort((a, b) => a.atNs - b.atNs);
    });

  const settings = fc.record({
    seed: ns(0, TWO_POW_32 - 1),
    vcpuCount: ns(2, 6),
    phases: fc.constantFrom("random", "staggered", "mixed", "same"),
    jitterPercent: ns(0, 50),
    wakeLatencyNs: ns(0, NS_PER_SECOND),
    hostNoiseNs: ns(0, NS_PER_SECOND),
    startAtNs: ns(0, 1e15),
    pageMemory: fc.constantFrom<"zero" | "junk">("zero", "junk"),
    timeline,
  });

  test("reads back as the same scenario, whatever it is", () => {
    fc.assert(
      fc.property(settings, ({ vcpuCount, phases, jitterPercent, wakeLatencyNs, hostNoiseNs, ...changes }) => {
        const { seed } = changes;
        const base = fromText(`{ engine: virtual, vcpus: ${vcpuCount}, seed: ${seed} }`);
        const random = randomPhasesNs(seed, vcpuCount, TICK_NS);
        const phaseOf = (id: number) => {
          if (phases === "same") return 123_456;
          const staggered = phases === "staggered" || (phases === "mixed" && id % 2 === 1);
          return staggered ? staggeredPhaseNs(id, vcpuCount, TICK_NS) : random[id];
        };
        const scenario: Scenario = {
          ...base,
          ...changes,
          chance: { jitterPercent, wakeLatencyNs, hostNoiseNs },
          vcpus: base.vcpus.map((vcpu, id) => ({ ...vcpu, tickPhaseNs: phaseOf(id) })),
        };
        const text = printScenario(scenario);
        assert.deepEqual(fromText(text), scenario);
        assert.equal(/^tickPhase: staggered$/m.test(text), phases === "staggered", text);
        assert.equal(text.includes("phase:"), phases === "mixed" || phases === "same", text);
      }),
    );
  });

  test("holds the seed that was drawn, and says nothing of repeating a run that is none", async () => {
    const { stdout, stderr } = await cli(["emulate", "--engine", "virtual", "--print-config"]);
    assert.match(stdout, new RegExp(`^engine: virtual\nseed: ${DRAWN_SEED}\n`));
    assert.equal(stderr, "");
    assert.equal(fromText(stdout).seed, DRAWN_SEED);
  });

  test("of a real run reads back in the real engine", () => {
    const text = printScenario(fromText("vcpus: 3\npageMemory: junk"));
    assert.ok(!text.includes("seed"), text);
    assert.deepEqual(fromText(text), fromText("vcpus: 3\npageMemory: junk"));
  });
});

describe("100,000 vCPUs", () => {
  test("of a number each know their own phase, and are printed in one stretch", async () => {
    const scenario = await fromFlags("--vcpus 100000 --pcpus 50000 --pin 0-49999 --seed 3");
    assert.equal(scenario.vcpus.length, 100_000);
    const text = printScenario(scenario);
    assert.match(text, /^ {2}- \{ count: 100000, workload: hog, nice: 0, pcpus: /m);
  });

  test("of an entry each are found", () => {
    const entries = Array.from({ length: 50_000 }, (_, index) => ({ count: 2, nice: index % 20 }));
    const layers = new SettingLayers([NO_FLAGS, { settings: { vcpus: entries }, where: () => "" }]);
    assert.equal(layers.vcpuCount(2, "virtual"), 100_000);
    for (let id = 0; id < 100_000; id++) {
      assert.equal(layers.pickForVcpu(VCPU_FIELDS.nice, id), Math.floor(id / 2) % 20);
    }
    assert.equal(layers.pickForVcpu(VCPU_FIELDS.nice, 100_000), undefined);
  });

  test("are wrong in a few lines", async () => {
    const argv = "emulate --engine virtual --vcpus 100000 --pcpus 2 --pin 2".split(" ");
    const { exitCode, stderr } = await cli(argv);
    assert.equal(exitCode, 2);
    const lines = stderr.trimEnd().split("\n");
    assert.equal(lines.length, 6);
    assert.equal(lines.at(-1), "stealclock: and 99995 more");
  });
});
