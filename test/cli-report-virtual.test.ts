import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ansis } from "ansis";
import { explainDifferences } from "../src/cli/explain.js";
import { brokenLines, reportLines } from "../src/cli/report.js";
import { nameVcpus } from "../src/cli/values.js";
import { defaultScenario } from "../src/engine/default-scenario.js";
import type { RunResult } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { runResult, vcpuResult } from "./cli-helpers.js";

/** The report of runs in virtual time, and of very many vCPUs. */

const scenarioOf = (vcpuCount: number): Scenario => ({ ...defaultScenario(vcpuCount), engine: "virtual", seed: 7 });
const plain = (result: RunResult, width = 240) => reportLines(result, { width, colours: new Ansis(0) });
const ROW = /^ *(\d+|\.\.\.|total)( |$)/;
const rowsOf = ([, ...lines]: readonly string[]) => lines.filter((line) => ROW.test(line));

describe("the report of a run in virtual time", () => {
  test("names its time and its seed", () => {
    const elapsedNs = 60_000_000_000;
    const [head] = plain(runResult(scenarioOf(8), { elapsedNs }));
    assert.equal(head, "8 vCPUs on 4 pCPUs, rfc-v2 at HZ 250, 60 s of virtual time, seed 7");
    const [early] = plain(runResult(scenarioOf(1), { elapsedNs: 3_200_000_001, stoppedEarly: true }));
    assert.match(early ?? "", /3\.200000001 s of virtual time, seed 7, stopped early$/);
  });

  test("has no cost, and says what noise is", () => {
    const text = plain(runResult(scenarioOf(2))).join("\n");
    assert.ok(!text.includes("Cost"), text);
    assert.match(text, /noise: latency that was drawn/);
    const real = plain(runResult(defaultScenario(2))).join("\n");
    assert.match(real, /Cost in the guest/);
    assert.ok(!real.includes("drawn") && !real.includes("seed"), real);
  });

  test("says that nothing was checked when nothing was", () => {
    const lines = plain(runResult(scenarioOf(2), { invariants: [] }));
    assert.equal(lines.at(-1), "No invariant was checked.");
    assert.ok(!lines.join("\n").includes("\n\n\n"), "no gap where the invariants would be");
    assert.equal(plain(runResult(scenarioOf(2))).at(-1), "All invariants that were exercised held.");
  });

  test("names the seed with what is broken", () => {
    const broken = { name: "no torn read", status: "broken", detail: "3 of 40" } as const;
    const result = runResult(scenarioOf(2), { ok: false, invariants: [broken] });
    assert.deepEqual(brokenLines(result).slice(1), ["The seed was 7.", "1 invariant broken: exit code 1."]);
    assert.deepEqual(brokenLines(runResult(scenarioOf(2))), []);
  });

  test("blames latency that was drawn, not the real machine", () => {
    const lost = vcpuResult(0, { guest: { userNs: 1_200_000_000 }, host: { noiseNs: 300_000_000 } });
    const [line = ""] = explainDifferences(runResult(scenarioOf(1), { vcpus: [lost] }));
    assert.match(line, /; or the latency that was drawn took it \(see noise\)\.$/);
  });
});

describe("time offline", () => {
  const OFFLINE = { runNs: 1_000_000_000, waitNs: 1_500_000_000, offlineNs: 500_000_000 };
  const explain = (guest: { userNs: number; stealNs: number }) =>
    explainDifferences(runResult(scenarioOf(1), { vcpus: [vcpuResult(0, { guest, host: OFFLINE })] })).join("\n");

  test("is in no account", () => {
    assert.match(
      explain({ userNs: 1_000_000_000, stealNs: 1_500_000_000 }),
      /16\.7 % .* in no account.*: the whole machine stood still/,
    );
  });

  test("may be taken for steal", () => {
    const text = explain({ userNs: 1_000_000_000, stealNs: 2_000_000_000 });
    assert.match(
      text,
      /saw 66\.7 % steal.* true is 50\.0 %: measure out-of-guest counts the time for which the machine stood still/,
    );
  });
});

describe("the report of very many vCPUs", () => {
  test("has a row for each of 40", () => {
    const lines = plain(runResult(scenarioOf(40)));
    assert.equal(rowsOf(lines).length, 41);
    assert.ok(!lines.join("\n").includes("--json"));
  });

  test("shows the first 32 of more, and the total of all", () => {
    const result = runResult(scenarioOf(41));
    const vcpus = result.vcpus.map((vcpu, id) => (id === 40 ? vcpuResult(40, { host: { entries: 1_000_000 } }) : vcpu));
    const lines = plain({ ...result, vcpus });
    const rows = rowsOf(lines).map((line) => line.trim().split(/\s+/));
    assert.deepEqual(
      rows.map(([first]) => first),
      [...Array.from({ length: 32 }, (_, id) => `${id}`), "...", "total"],
    );
    assert.ok(rows.at(-1)?.includes(`${40 * 375 + 1_000_000}`), "the total is of all");
    assert.ok(lines.includes("The first 32 of 41 vCPUs, and the total of all; --json has all of them."));
    assert.ok(lines.every((line) => line === line.trimEnd()));
  });

  test("is no wider than the terminal", () => {
    for (const width of [40, 80, 120]) {
      for (const line of plain(runResult(scenarioOf(1000)), width)) assert.ok(line.length <= width, line);
    }
  });

  test("copes with 100,000 of which every other one differs", () => {
    const config = scenarioOf(100_000);
    const vcpus = config.vcpus.map((_, id) =>
      vcpuResult(id, id % 2 === 0 ? {} : { guest: { stealNs: 0, userNs: 1_500_000_000 + id } }),
    );
    const lines = plain(runResult(config, { vcpus }), 80);
    assert.ok(lines.length < 200, `${lines.length} lines`);
    assert.ok(lines.some((line) => line.includes("and more, 50000 in all")));
  });

  test("names scattered vCPUs as far as one would read", () => {
    assert.equal(nameVcpus([3]), "vCPU 3");
    assert.equal(nameVcpus([0, 1, 2, 5]), "vCPUs 0-2, 5");
    const odd = (count: number) => Array.from({ length: count }, (_, index) => 2 * index + 1);
    assert.equal(nameVcpus(odd(12)), `vCPUs ${odd(12).join(", ")}`);
    assert.equal(nameVcpus(odd(13)), `vCPUs ${odd(12).join(", ")} and more, 13 in all`);
    assert.equal(nameVcpus([...Array(100_000).keys()]), "vCPUs 0-99999");
  });
});
