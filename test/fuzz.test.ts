import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseScenario } from "../src/cli/scenario-file.js";
import { printScenario } from "../src/cli/scenario-print.js";
import { resolveScenario } from "../src/cli/scenario-resolve.js";
import { thisMachine } from "../src/engine/machine.js";
import type { Scenario } from "../src/engine/scenario.js";
import { findProblems } from "../src/engine/scenario-check.js";
import { featuresOf } from "../src/fuzz/features.js";
import { fuzzLines, fuzzResultOf } from "../src/fuzz/fuzz-report.js";
import { plantedCopy } from "../src/fuzz/planted.js";
import { PLANTED_FAULTS } from "../src/fuzz/planted-faults.js";
import { randomScenario } from "../src/fuzz/random-scenario.js";
import { search } from "../src/fuzz/search.js";
import { shrink } from "../src/fuzz/shrink.js";
import { simplerScenarios } from "../src/fuzz/simpler-scenarios.js";
import { emptyTally } from "../src/fuzz/tally.js";

const PROGRAM = join(__dirname, "../src");
const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);

interface Exit {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a fuzzer, this program's or a copy's, in a folder. */
function runFuzzer(program: string, folder: string, ...flags: readonly string[]): Promise<Exit> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(program, "fuzz/fuzz.js"), ...flags], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe("random scenarios", () => {
  test("a seed's is always the same, and no two are alike", () => {
    const texts = SEEDS.map((seed) => JSON.stringify(randomScenario(seed)));
    assert.deepEqual(
      texts,
      SEEDS.map((seed) => JSON.stringify(randomScenario(seed))),
    );
    assert.equal(new Set(texts).size, SEEDS.length);
  });

  test("each can be run, and a scenario file gives back the very same", () => {
    const machine = thisMachine();
    for (const seed of SEEDS) {
      const scenario = randomScenario(seed);
      assert.deepEqual(findProblems(scenario, machine), [], `seed ${seed}`);
      const source = parseScenario(printScenario(scenario), "printed.yaml");
      assert.deepEqual(resolveScenario({ settings: {}, where: String }, source, machine).scenario, scenario);
    }
  });

  test("every feature comes up, and none in all of them but by name", () => {
    const times = new Map<string, number>();
    for (const feature of SEEDS.flatMap((seed) => featuresOf(randomScenario(seed)))) {
      times.set(feature, (times.get(feature) ?? 0) + 1);
    }
    // Those that a scenario has or has not, and each name of the others.
    assert.equal(times.size, 48);
    for (const [feature, count] of times) assert.ok(count >= 10 && count <= 290, `${feature}: ${count}`);
  });
});

describe("shrinking", () => {
  const isWrong = ({ vcpus, chance }: Scenario) =>
    vcpus.some(({ workload }) => workload.kind === "duty") && chance.hostNoiseNs > 0;
  const run = (scenario: Scenario) => ({
    problems: isWrong(scenario) ? [{ property: "wrong", text: `${scenario.vcpus.length}` }] : [],
  });
  const original = SEEDS.map(randomScenario).find((scenario) => isWrong(scenario) && scenario.vcpus.length > 8);

  test("leaves what it takes and takes all else away", () => {
    assert.ok(original !== undefined);
    const { scenario, problem } = shrink(original, { property: "wrong", text: "" }, 2_000, run);
    assert.deepEqual(problem, { property: "wrong", text: "1" });
    assert.equal(scenario.vcpus[0].workload.kind, "duty");
    assert.ok(scenario.chance.hostNoiseNs > 0);
    assert.deepEqual([scenario.hostTasks, scenario.timeline, scenario.pcpus], [[], [], 1]);
    assert.deepEqual([scenario.startAtNs, scenario.accounting, scenario.seed], [0, "rfc-v2", original.seed]);
  });

  test("stops when its runs are used up", () => {
    assert.ok(original !== undefined);
    let runs = 0;
    const counted = (scenario: Scenario) => {
      runs++;
      return run(scenario);
    };
    assert.equal(shrink(original, { property: "wrong", text: "" }, 7, counted).runs, 7);
    assert.equal(runs, 7);
  });

  test("every simpler scenario can be run", () => {
    const machine = thisMachine();
    for (const seed of SEEDS.slice(0, 40)) {
      for (const simpler of simplerScenarios(randomScenario(seed))) {
        assert.deepEqual(findProblems(simpler, machine), [], `seed ${seed}: ${JSON.stringify(simpler)}`);
      }
    }
  });
});

describe("a search that is stopped", () => {
  const options = { workerFile: join(PROGRAM, "fuzz/fuzz-worker.js"), seedFrom: 0, seeds: 1_000_000, maxFailures: 1 };

  test("ends with what it has found so far", async () => {
    const stop = new AbortController();
    const tally = await search({ ...options, signal: stop.signal, onProgress: () => stop.abort() });
    assert.ok(tally.scenarios > 0 && tally.scenarios < 10_000, `${tally.scenarios} scenarios`);
    assert.equal(tally.features["one pCPU"] + tally.features["several pCPUs"], tally.scenarios);
  });

  test("before it began, ends with nothing", async () => {
    const tally = await search({ ...options, signal: AbortSignal.abort(), onProgress: () => {} });
    assert.deepEqual([tally.scenarios, tally.failures], [0, []]);
  });
});

test("a large search in which a property had nothing to judge has proved nothing", () => {
  const tally = { ...emptyTally(), scenarios: 1_000, properties: { some: { scenarios: 0, cases: 0 } } };
  const result = fuzzResultOf(tally, 0, 1_000, []);
  assert.deepEqual([result.ok, result.unproved], [false, ["some"]]);
  assert.match(fuzzLines(result).join("\n"), /proved nothing of this: some/);
  assert.equal(fuzzResultOf({ ...tally, scenarios: 999 }, 0, 999, []).ok, true);
});

describe("the fuzzer's command line", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "stealclock-fuzz-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("a search that finds nothing says what it looked at, and leaves no files", async () => {
    const { code, stdout } = await runFuzzer(PROGRAM, folder, "--seeds", "60", "--seed-from", "1000", "--json");
    assert.equal(code, 0);
    const result = JSON.parse(stdout);
    assert.deepEqual(
      [result.schema, result.ok, result.scenarios, result.failures],
      ["stealclock.fuzz/1", true, 60, []],
    );
    assert.ok(result.virtualNs > 0 && result.events > 0);
    assert.ok(result.properties["guest clocks tell the time"].cases > 0);
    assert.deepEqual(readdirSync(folder), []);
  });

  test("a fault is found, shrunk and kept; its file shows it again, and nothing in a program without it", async () => {
    const fault = PLANTED_FAULTS.find(({ name }) => name === "halt-counts-as-wait");
    assert.ok(fault !== undefined);
    const faulty = plantedCopy(fault, folder);
    const found = await runFuzzer(faulty, folder, "--seeds", "40");
    assert.equal(found.code, 1, found.stdout);
    const [, file = ""] = /replay: npm run fuzz -- --scenario (\S+)/.exec(found.stdout) ?? [];
    assert.match(found.stdout, /seed \d+ broke: every page write is due, whole and true/);
    const header = readFileSync(join(folder, file), "utf8");
    for (const command of [
      `npm run fuzz -- --scenario ${file}`,
      `npm run -s emulate -- --scenario ${file} --full-checks`,
    ]) {
      assert.ok(found.stdout.includes(`: ${command}\n`), found.stdout);
      assert.ok(header.includes(`\n#   ${command}\n`), header);
    }
    assert.match(file, /^fuzz-failures.seed-\d+\.yaml$/);
    const again = await runFuzzer(faulty, folder, "--scenario", file);
    assert.equal(again.code, 1);
    assert.match(again.stdout, /broken: every page write is due, whole and true: vCPU \d+: page written/);
    const sound = await runFuzzer(PROGRAM, folder, "--scenario", file);
    assert.deepEqual([sound.code, sound.stdout], [0, "nothing broken\n"]);
  });

  test("a file that gives no seed is run with seed 0", async () => {
    const text = "engine: virtual\nduration: 1s\nvcpus: 3\nhostNoise: 300us\njitter: 20%\n";
    const report = async (name: string, seed: string) => {
      writeFileSync(join(folder, name), text + seed);
      const { code, stdout } = await runFuzzer(PROGRAM, folder, "--scenario", name, "--json");
      assert.equal(code, 0, stdout);
      return stdout;
    };
    const unseeded = await report("unseeded.yaml", "");
    assert.equal(unseeded, await report("seed-0.yaml", "seed: 0\n"));
    assert.notEqual(unseeded, await report("seed-5.yaml", "seed: 5\n"));
  });

  test("a signal ends the run of one file at once", async () => {
    writeFileSync(join(folder, "long.yaml"), "engine: virtual\nduration: 1h\nvcpus: 8\n");
    const child = spawn(process.execPath, [join(PROGRAM, "fuzz/fuzz.js"), "--scenario", "long.yaml"], { cwd: folder });
    // Sooner or later than the run begins: it ends by the signal in either case.
    const timer = setTimeout(() => child.kill("SIGINT"), 1_500);
    const [code, signal] = await once(child, "exit");
    clearTimeout(timer);
    assert.deepEqual([code, signal], [null, "SIGINT"]);
  });

  test("bad input ends with 2 and says what is accepted", async () => {
    writeFileSync(join(folder, "real.yaml"), "engine: real\n");
    for (const [flags, message] of [
      [["--seeds", "0"], /an integer from 1 to 4294967296/],
      [["--seeds", "many"], /an integer from 1 to/],
      [["--seed-from", "4294967290"], /accepted: fewer seeds/],
      [["--scenario", "nowhere.yaml"], /no such file/],
      [["--scenario", "real.yaml"], /accepted: engine: virtual/],
      [["--scenario", "real.yaml", "--planted"], /--scenario runs one file/],
      [["--what"], /unknown option '--what'/],
    ] as const) {
      const { code, stderr } = await runFuzzer(PROGRAM, folder, ...flags);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
  });
});
