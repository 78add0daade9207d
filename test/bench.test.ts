import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { runBench } from "../bench/command/run-bench.js";
import type { BenchDocument, BenchResult } from "../bench/harness/document.js";
import { Unavailable } from "../bench/harness/trial.js";
import { nativePlans } from "../bench/native/native-plans.js";
import { NativeProgram } from "../bench/native/native-program.js";

/** One round of a group, as short as can be: that every row comes out, never how. */
async function measureOnce(group: string): Promise<BenchDocument> {
  let text = "";
  const exitCode = await runBench(["--quick", "--rounds", "1", "--json", "--filter", `${group}/`], {
    stdout: (more) => {
      text += more;
    },
    stderr: () => {},
    isTerminal: false,
    width: 120,
  });
  assert.equal(exitCode, 0);
  return JSON.parse(text);
}

function assertMeasured({ name, median, p99, min, max, samples }: BenchResult): void {
  for (const value of [median, p99, min, max, samples]) {
    assert.ok(typeof value === "number" && Number.isFinite(value) && value > 0, `${name}: ${value}`);
  }
  assert.ok(Number(min) <= Number(median) && Number(median) <= Number(max), name);
}

const UNCONTENDED = [
  "update.shipped",
  "read.shipped",
  "kvmclock-read.shipped",
  "update.atomics",
  "read.atomics",
  "native.update-seqcst",
  "native.update-linux",
  "native.read-seqcst",
  "native.read-linux",
  "native.store64-seqcst",
  "native.kvmclock-read",
];

/** In so short a time a reader beside a writer may well meet no update, or have none of its reads accepted. */
function assertContended(row: BenchResult): void {
  const { name, unit, median, max, samples, percentiles } = row;
  const mayBeNone = unit === "retries/read" || (unit === "reads/s" && !name.endsWith("reader-alone"));
  if (mayBeNone) assert.ok(Number(median) >= 0 && samples === 1, name);
  else assertMeasured(row);
  if (unit === "ns") assert.ok(percentiles && percentiles["50"] > 0 && percentiles["50"] <= percentiles["100"]);
  if (unit === "fairness") assert.ok(Number(max) <= 1, name);
}

describe("a run of the bench", () => {
  it("measures every row of one thread, those with a counterpart in C beside it", async () => {
    const { schema, machine, results } = await measureOnce("uncontended");
    assert.equal(schema, "stealclock.bench/1");
    assert.equal(machine.node, process.versions.node);
    const byName = new Map(results.map((row) => [row.name, row]));
    for (const name of UNCONTENDED) assert.ok(byName.has(name), name);
    const measured = machine.compiler === null ? results.filter(({ name }) => !name.startsWith("native.")) : results;
    for (const row of measured) {
      assertMeasured(row);
      assert.ok(row.ratioTo === null || byName.has(row.ratioTo), `${row.name} of ${row.ratioTo}`);
      const divisor = byName.get(row.ratioTo ?? "");
      assert.equal(row.ratio === null, divisor === undefined || divisor.samples === 0, row.name);
    }
    for (const [name, ratioTo] of [
      ["update.shipped", "native.update-seqcst"],
      ["read.shipped", "native.read-seqcst"],
      ["kvmclock-read.shipped", "native.kvmclock-read"],
    ]) {
      assert.equal(byName.get(name)?.ratioTo, ratioTo);
    }
  });

  it("measures threads against each other, alone first", async () => {
    const { machine, results } = await measureOnce("contended");
    const measured = machine.compiler === null ? results.filter(({ name }) => !name.startsWith("native.")) : results;
    const names = results.map(({ name }) => name);
    for (const name of [
      "updates.writer-alone",
      "reads.1-reader",
      "fairness.2-readers.one-page",
      "reads.2-readers.page-each",
      "native.reads.1-reader",
    ]) {
      assert.ok(names.includes(name), name);
    }
    for (const row of measured) assertContended(row);
  });

  it("measures ticks and entries as the engines do them", async () => {
    const { results } = await measureOnce("end-to-end");
    const names = results.map(({ name }) => name);
    for (const name of [
      "tick.rfc-v2.hz-250",
      "tick-load.mainline.hz-1000",
      "hog-work.no-tick",
      "publish.virtual.entry.1000",
    ]) {
      assert.ok(names.includes(name), name);
    }
    for (const name of ["publish.real.periodic.256", "growth.publish.real.entry", "growth.entry.virtual"]) {
      assert.ok(names.includes(name), name);
    }
    for (const row of results) assertMeasured(row);
  });
});

describe("the protocol in C", () => {
  it("is left out without a compiler, and its rows say why", async () => {
    assert.equal(NativeProgram.compile({ CC: "" }), null);
    assert.equal(NativeProgram.compile({ CC: "no-such-compiler" }), null);
    for (const plan of nativePlans(null)) {
      const trial = await plan.open({
        quick: true,
        rounds: 1,
        samplesPerRound: 1,
        batchNs: 1,
        warmUpNs: 1,
        windowMs: 1,
      });
      assert.ok(trial instanceof Unavailable);
      assert.match(trial.reason, /no C compiler/);
    }
  });

  it("leaves nothing behind", (context) => {
    const program = NativeProgram.compile();
    if (program === null) return context.skip("no C compiler");
    assert.ok(existsSync(program.folder));
    program.close();
    assert.ok(!existsSync(program.folder));
  });
});
