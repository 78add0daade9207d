import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SCENARIO_FOLDER } from "../src/cli/package-root.js";
import { shippedScenarios } from "../src/cli/scenario-file.js";
import type { EmulateOptions } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { Captured, cli, runResult, vcpuResult } from "./cli-helpers.js";

const folder = mkdtempSync(join(tmpdir(), "stealclock-"));
after(() => rmSync(folder, { recursive: true }));

/** An engine whose every vCPU ran half the time and waited for the other half. */
async function half(scenario: Scenario) {
  return runResult(scenario, { engine: scenario.engine });
}

function terminal(columns: number): Captured {
  return new Captured({ columns, rows: 24 });
}

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const HOLDS = write("holds.yaml", "vcpus: 2\nexpect: { all: { guest.steal: 49..51 % } }\n");
const FAILS = write("fails.yaml", "vcpus: 2\nexpect: { all: { guest.steal: 59..61 %, lockups: 0 } }\n");
const SILENT = write("silent.yaml", "vcpus: 2\n");
const VIRTUAL = write("virtual.yaml", "engines: [virtual]\nduration: 30s\nexpect: { total: { lockups: 0 } }\n");

test("list: each shipped scenario with its engines, duration and description, in a line where that is wide enough", async () => {
  const { exitCode, stdout, scenario } = await cli(["scenarios", "list"], { stdout: terminal(200) });
  assert.equal(exitCode, 0);
  assert.equal(scenario, null, "nothing is run");
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, shippedScenarios().length + 1);
  assert.match(lines[0] ?? "", /^scenario +engines +duration +shows$/);
  assert.ok(lines.some((line) => /^rfc-report-3 +virtual, real +3s +host hog, idle guest, 0 % steal$/.test(line)));
});

test("list: the description is wrapped to the width, beside the other columns or below them", async () => {
  const words = async (width: number) => {
    const { stdout } = await cli(["scenarios", "list"], { stdout: terminal(width) });
    assert.deepEqual(
      stdout.split("\n").filter((line) => line.length > width),
      [],
    );
    return stdout.split(/\s+/);
  };
  const all = await words(200);
  assert.deepEqual(await words(100), all);
  assert.deepEqual(await words(80), all);
  assert.deepEqual(await words(65), all);
  const { stdout } = await cli(["scenarios", "list"]);
  assert.match(stdout, /^rfc-report-3 +virtual, real +3s\n {4}host hog, idle guest, 0 % steal$/m, "a pipe gets 80");
});

test("show: a scenario's file as it is", async () => {
  const { exitCode, stdout } = await cli(["scenarios", "show", "rfc-report-1"]);
  assert.equal(exitCode, 0);
  assert.equal(stdout, readFileSync(join(SCENARIO_FOLDER, "rfc-report-1.yaml"), "utf8"));
});

test("check: a row for each file; 0 when nothing failed", async () => {
  const { exitCode, stdout, stderr } = await cli(["scenarios", "check", HOLDS], { emulate: half });
  assert.equal(exitCode, 0);
  assert.equal(stderr, "");
  const [head, row, empty, summary] = stdout.split("\n");
  assert.match(head ?? "", /^scenario +engine +time s +ok +failed +inconclusive$/);
  assert.match(row ?? "", /holds\.yaml +virtual +3\.000 +3 +0 +0$/);
  assert.equal(empty, "");
  assert.equal(summary, "1 scenario in the virtual engine: 1 ok.");
});

test("check: what failed, with field, expected and found; 1 when one did", async () => {
  const { exitCode, stdout } = await cli(["scenarios", "check", HOLDS, FAILS], { emulate: half });
  assert.equal(exitCode, 1);
  assert.match(stdout, /fails\.yaml +virtual +3\.000 +3 +2 +0\n/);
  assert.match(stdout, /\n {2}failed: vCPU 0: guest\.steal: expected 59\.\.61 %, found 50 %\n/);
  assert.match(stdout, /\n2 scenarios in the virtual engine: 1 ok, 1 failed\.\n$/);
});

test("check: a file that expects nothing is not run, is not ok, and proves nothing", async () => {
  const { exitCode, stdout, scenario } = await cli(["scenarios", "check", SILENT], { emulate: half });
  assert.equal(exitCode, 1);
  assert.equal((await cli(["scenarios", "check", HOLDS, SILENT], { emulate: half })).exitCode, 1);
  assert.equal(scenario, null);
  assert.match(stdout, /silent\.yaml +virtual +nothing expected: not run, and not ok\n/);
  assert.match(stdout, /1 scenario in the virtual engine: 0 ok, 1 nothing expected\.\n$/);
});

test("check: a broken invariant fails, whatever the file expects", async () => {
  const invariants = [{ name: "the ledger conserves time", status: "broken", detail: "" } as const];
  const emulate = async (scenario: Scenario) => ({ ...(await half(scenario)), ok: false, invariants });
  const { exitCode, stdout } = await cli(["scenarios", "check", HOLDS], { emulate });
  assert.equal(exitCode, 1);
  assert.match(stdout, /failed: total: invariants: expected ok, found broken: the ledger conserves time/);
});

test("check: a noisy real run is inconclusive, which is no failure", async () => {
  const emulate = async (scenario: Scenario) => {
    const noisy = scenario.vcpus.map((_, id) => vcpuResult(id, { host: { noiseNs: 300_000_000 } }));
    return runResult(scenario, { vcpus: noisy });
  };
  const { exitCode, stdout } = await cli(["scenarios", "check", "--engine", "real", FAILS], { emulate });
  assert.equal(exitCode, 0);
  assert.match(stdout, /fails\.yaml +real +3\.000 +1 +0 +4\n/);
  assert.match(stdout, /inconclusive: vCPU 0: guest\.steal: expected 59\.\.61 %, found 50 % at 10\.0 % noise\n/);
  assert.match(stdout, /1 scenario in the real engine: 0 ok, 1 inconclusive\.\n$/);
});

test("check: --json prints one document and nothing else", async () => {
  const { exitCode, stdout } = await cli(["scenarios", "check", "--json", HOLDS, FAILS, SILENT], { emulate: half });
  assert.equal(exitCode, 1);
  const document = JSON.parse(stdout);
  assert.equal(document.schema, "stealclock.scenarios/1");
  assert.equal(document.engine, "virtual");
  assert.deepEqual(
    document.scenarios.map(({ name, status }: { name: string; status: string }) => [name, status]),
    [
      [HOLDS, "ok"],
      [FAILS, "failed"],
      [SILENT, "nothing expected"],
    ],
  );
  assert.deepEqual(document.scenarios[1].outcomes[0], {
    field: "guest.steal",
    vcpu: 0,
    expected: "59..61 %",
    found: "50 %",
    status: "failed",
  });
});

/** The scenarios that a check without names runs. */
async function checkedBy(...flags: string[]): Promise<string[]> {
  const { stdout } = await cli(["scenarios", "check", "--json", ...flags], { emulate: half });
  return JSON.parse(stdout).scenarios.map(({ name }: { name: string }) => name);
}

test("check: without names all that are shipped for the engine", async () => {
  assert.deepEqual(await checkedBy(), shippedScenarios());
  const real = await checkedBy("--engine", "real");
  assert.ok(real.includes("rfc-report-1"));
  assert.ok(!real.includes("steal-field-wrap"), "for the virtual engine alone");
});

test("check: the engine is what was asked for, and no seed is drawn", async () => {
  const virtual = await cli(["scenarios", "check", HOLDS], { emulate: half });
  assert.deepEqual([virtual.scenario?.engine, virtual.scenario?.seed], ["virtual", 0]);
  const real = await cli(["scenarios", "check", "--engine", "real", HOLDS], { emulate: half });
  assert.equal(real.scenario?.engine, "real");
});

test("check: a run that was stopped proves nothing, and leaves with 130", async () => {
  const signals = new EventEmitter();
  const emulate = async (scenario: Scenario, { signal }: EmulateOptions) => {
    signals.emit("SIGINT");
    return runResult(scenario, { stoppedEarly: signal?.aborted === true });
  };
  const { exitCode, stderr } = await cli(["scenarios", "check", HOLDS, FAILS], { emulate, signals });
  assert.equal(exitCode, 130);
  assert.match(stderr, /stopped while .*holds\.yaml was checked/);
  assert.equal(signals.listenerCount("SIGINT"), 0);
});

/** Arguments after "scenarios", and what the message must say. */
const REFUSED: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
  [["check", "no-such"], /no-such: no such file; accepted: a YAML file, or/],
  [["check", "rfc-raport-1"], /did you mean rfc-report-1\?/],
  [["show", "no-such"], /no-such: no such file/],
  [["show"], /missing required argument 'name'/],
  [
    ["check", "--engine", "vritual"],
    /--engine: "vritual" is not an engine; accepted: virtual, real \(did you mean virtual\?\)/,
  ],
  [
    ["check", "--engine", "real", VIRTUAL],
    /virtual\.yaml:1:10: engines: this is not meant for the real engine; accepted: --engine virtual/,
  ],
  [
    ["check", write("who.yaml", "vcpus: 2\nexpect:\n  vcpus:\n    0+2-3: { ticks: 1 }\n")],
    /who\.yaml:4:12: .*names vCPUs 2-3, not there; accepted: there are vCPUs 0 to 1/,
  ],
  [
    ["check", write("unit.yaml", "expect: { all: { lockups: 0 % } }\n")],
    /unit\.yaml:1:27: expect\.all\.lockups: "0 %" is not a count/,
  ],
  [["check", HOLDS, write("key.yaml", "expect: { all: { st: 0 % } }\n")], /key\.yaml:1:18: unknown key "st"/],
  [["chekc"], /unknown command 'chekc'/],
];

for (const [argv, message] of REFUSED) {
  test(`scenarios ${argv.join(" ").replaceAll(`${folder}/`, "")} is refused before anything runs`, async () => {
    const { exitCode, stderr, scenario } = await cli(["scenarios", ...argv], { emulate: half });
    assert.equal(exitCode, 2);
    assert.match(stderr, message);
    assert.equal(scenario, null);
  });
}
