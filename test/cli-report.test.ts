import assert from "node:assert/strict";
import { test } from "node:test";
import { Ansis } from "ansis";
import { percent, seconds, shortTime, sum, wrap } from "../src/cli/format.js";
import { brokenLines, reportLines } from "../src/cli/report.js";
import { layOutTables } from "../src/cli/table.js";
import type { RunResult } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { cli, runResult, vcpuResult } from "./cli-helpers.js";

async function scenarioOf(args: string): Promise<Scenario> {
  const { scenario, stderr } = await cli(["emulate", ...args.split(" ")]);
  assert.ok(scenario !== null, stderr);
  return scenario;
}

const plain = (result: RunResult, width = 80) => reportLines(result, { width, colours: new Ansis(0) });

/** The cells of one row of the table whose heads contain `head`. */
function rowOf(lines: readonly string[], head: string, first: string): string[] {
  const heads = lines.findIndex((line) => line.includes(head));
  const row = lines.slice(heads).find((line) => line.trim().split(/\s+/)[0] === first);
  return row?.trim().split(/\s+/) ?? [];
}

test("the guest's belief stands beside the truth", async () => {
  const result = runResult(await scenarioOf("--vcpus 2"), {
    vcpus: [
      vcpuResult(0, {
        guest: { userNs: 1e9, systemNs: 0.5e9, idleNs: 0.1e9, stealNs: 1.2e9 },
        host: { waitNs: 1.3e9 },
      }),
      vcpuResult(1),
    ],
  });
  const lines = plain(result);
  assert.deepEqual(rowOf(lines, "seen%", "0"), [
    ...["0", "1.000", "35.7", "0.500", "17.9", "0.100", "3.6", "1.200", "42.9"],
    ...["40.0", "43.3", "0.200"],
  ]);
  assert.deepEqual(rowOf(lines, "seen%", "total"), [
    ...["total", "2.500", "43.1", "0.500", "8.6", "0.100", "1.7", "2.700", "46.6"],
    ...["45.0", "46.7", "0.200"],
  ]);
  assert.deepEqual(rowOf(lines, "run%", "1"), ["1", "50.0", "50.0", "0.0", "12.3ms", "4.30ms", "375", "0", "1.0"]);
  assert.deepEqual(rowOf(lines, "run%", "total"), [
    "total",
    "50.0",
    "46.7",
    "0.0",
    "12.3ms",
    "4.30ms",
    "750",
    "0",
    "1.0",
  ]);
  assert.deepEqual(rowOf(lines, "updates", "total"), ["total", "750", "2000", "4", "0", "6", "0", "0"]);
  assert.ok(lines.includes("ok             ledger conserves time: on all vCPUs"));
  const cost = lines.join(" ");
  assert.match(cost, /400 ns per tick \(0\.010 % of a CPU at HZ 250\), 150 ns per page/);
});

test("no line is wider than the terminal", async () => {
  const config = await scenarioOf("--vcpus 3 --update pcpu-change");
  const long = { guest: { stealNs: 0, userNs: 1.5e15 }, host: { entries: 12_345_678 }, page: { updates: 1 } };
  const result = runResult(config, {
    elapsedNs: 3e15,
    ok: false,
    vcpus: [vcpuResult(0), vcpuResult(1, long), vcpuResult(2, { host: { offlineNs: 5 } })],
    invariants: [{ name: "a rather long name of an invariant", status: "broken", detail: "word ".repeat(40).trim() }],
    warnings: ["w".repeat(200)],
  });
  for (const width of [40, 60, 80, 100, 200]) {
    for (const line of plain(result, width)) assert.ok(line.length <= width, `${width}: ${line}`);
  }
  assert.ok(
    plain(runResult(config), 80).filter((line) => line.includes("vCPU  ")).length === 3,
    "three tables in 80 columns",
  );
  assert.ok(
    plain(runResult(config), 240).filter((line) => line.includes("vCPU  ")).length === 1,
    "one table in 240 columns",
  );
});

test("what is not known is not zero", async () => {
  const config = await scenarioOf("--vcpus 1");
  const unknown = vcpuResult(0, { host: { noiseNs: null }, cost: { tickNs: null, pageReadNs: null } });
  const lines = plain(runResult(config, { vcpus: [unknown] }));
  assert.equal(rowOf(lines, "noise%", "0").at(-1), "?");
  assert.equal(rowOf(lines, "noise%", "total").at(-1), "?");
  assert.ok(lines.includes("Cost in the guest: no tick measured, no page read measured."));
});

test("the linux host shows how far its run time is from schedstat's", async () => {
  const config = await scenarioOf("--vcpus 1 --host linux");
  const vcpu = vcpuResult(0, { host: { noiseNs: null, onCpuNs: 1_530_000_000 } });
  const lines = plain(runResult(config, { vcpus: [vcpu] }));
  assert.equal(rowOf(lines, "error%", "0").at(-1), "1.0");
  assert.match(lines[0] ?? "", /^1 vCPU on the linux host, rfc-v2 at HZ 250, 3\.000 s$/);
});

test("warnings and an early stop are said", async () => {
  const config = await scenarioOf("--vcpus 1");
  const lines = plain(runResult(config, { stoppedEarly: true, warnings: ["noise of 7 %: shares cannot be trusted"] }));
  assert.ok(lines[0]?.endsWith(", stopped early"));
  assert.ok(lines.includes("warning: noise of 7 %: shares cannot be trusted"));
});

test("what is broken is named, with the exit code", async () => {
  const config = await scenarioOf("--vcpus 1");
  const broken = { name: "no torn read", status: "broken", detail: "3 of 40" } as const;
  const result = runResult(config, { ok: false, invariants: [broken] });
  assert.deepEqual(brokenLines(result), ["broken         no torn read: 3 of 40", "1 invariant broken: exit code 1."]);
  assert.equal(plain(result).at(-1), "1 invariant broken: exit code 1.");
  assert.deepEqual(brokenLines(runResult(config)), []);
});

test("1024 vCPUs of 100 days each are summed exactly enough and quickly", async () => {
  const config = await scenarioOf("--vcpus 1024");
  const day = 86_400e9;
  const vcpus = config.vcpus.map((_, id) =>
    vcpuResult(id, { guest: { userNs: 50 * day, stealNs: 50 * day }, host: { runNs: 50 * day, waitNs: 50 * day } }),
  );
  const lines = plain(runResult(config, { elapsedNs: 100 * day, vcpus }));
  assert.deepEqual(rowOf(lines, "seen%", "total").slice(1, 3), [String(1024 * 50 * 86_400), "50.0"]);
});

test("colours only paint: the text is the same", async () => {
  const config = await scenarioOf("--vcpus 2");
  const colours = new Ansis(1);
  const painted = reportLines(runResult(config), { width: 80, colours });
  assert.ok(painted.join("").includes("\u001B["));
  assert.deepEqual(
    painted.map((line) => colours.strip(line)),
    plain(runResult(config)),
  );
});

test("figures", () => {
  assert.deepEqual([0, 1.5e9, 12.3456e9, 123.456e9, 1e13].map(seconds), ["0.000", "1.500", "12.35", "123.5", "10000"]);
  assert.deepEqual([percent(1, 3), percent(-1, 1e9), percent(-1, 100), percent(1, 0)], ["33.3", "0.0", "-1.0", "-"]);
  assert.equal(seconds(-2e6), "-0.002");
  assert.equal(seconds(-100), "0.000");
  assert.deepEqual([0, 999, 1e3, 4.3e6, 123.4e6, 1.5e9, 347e9].map(shortTime), [
    ...["0ns", "999ns", "1.00us", "4.30ms", "123ms", "1.50s", "347s"],
  ]);
  assert.equal(sum([2 ** 53 - 1, 2 ** 53 - 1, 2]), 2 ** 54);
  assert.deepEqual(wrap("aa bb ccccccccc dd", 6), ["aa bb", "  cccc", "  cccc", "  c dd"]);
});

test("groups of columns stand side by side while they fit", () => {
  const key = { head: "id", cells: ["0"] };
  const groups = ["one", "two"].map((title) => ({
    title,
    columns: [
      { head: "aaa", cells: ["1"] },
      { head: "bbb", cells: ["2"] },
    ],
  }));
  assert.deepEqual(layOutTables(key, groups, 40), [
    ["    one       two", "id  aaa  bbb  aaa  bbb", " 0    1    2    1    2"],
  ]);
  assert.deepEqual(layOutTables(key, groups, 12), [
    ["    one", "id  aaa  bbb", " 0    1    2"],
    ["    two", "id  aaa  bbb", " 0    1    2"],
  ]);
  assert.equal(layOutTables(key, groups, 1).length, 4);
});
