import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { RunResult } from "../src/engine/result.js";
import { Captured, type CliOutcome, cli, runResult, vcpuResult } from "./cli-helpers.js";

const folder = mkdtempSync(join(tmpdir(), "stealclock-"));
after(() => rmSync(folder, { recursive: true }));

type Changes = Parameters<typeof vcpuResult>[1];

/** A run as a document. @param vcpus what is different of each, from half run and half wait */
async function run(args: string, vcpus?: readonly Changes[], changes: Partial<RunResult> = {}): Promise<RunResult> {
  const { scenario, stderr } = await cli(["emulate", ...args.split(" ").filter((word) => word !== "")]);
  assert.ok(scenario !== null, stderr);
  return runResult(scenario, {
    vcpus: scenario.vcpus.map((_, id) => vcpuResult(id, { ...vcpus?.[id] })),
    ...changes,
  });
}

let files = 0;
function fileOf(content: unknown): string {
  const file = join(folder, `run-${files++}.json`);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

async function compare(a: unknown, b: unknown, ...flags: string[]): Promise<CliOutcome> {
  const outcome = await cli(["compare", fileOf(a), fileOf(b), ...flags]);
  assert.equal(outcome.stderr, "");
  return outcome;
}

/** All that was said, without line breaks. */
async function said(a: unknown, b: unknown): Promise<string> {
  const { stdout, exitCode } = await compare(a, b);
  assert.equal(exitCode, 0);
  return stdout.replace(/\s+/g, " ");
}

async function json(a: unknown, b: unknown) {
  const { stdout, exitCode } = await compare(a, b, "--json");
  return { exitCode, ...JSON.parse(stdout) };
}

async function assertRefused(argv: readonly string[], ...parts: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await cli(["compare", ...argv]);
  assert.equal(exitCode, 2, stderr);
  assert.equal(stdout, "");
  for (const part of parts) assert.ok(stderr.includes(part), `${JSON.stringify(part)} is not in:\n${stderr}`);
  assert.ok(!stderr.includes("    at "), "no stack trace");
}

/** The settings that are said to differ. */
async function settingsIn(a: RunResult, b: RunResult): Promise<string[]> {
  const { stdout } = await compare(a, b);
  const lines = stdout.split("\n");
  const start = lines.findIndex((line) => line.startsWith("Settings that differ"));
  const rest = lines.slice(start + 1);
  return start === -1 ? [] : rest.slice(0, rest.indexOf("")).map((line) => line.trim());
}

test("settings that differ, by path", async () => {
  const a = await run("--update pcpu-change --accounting rfc-v2");
  const b = await run("--update entry --accounting mainline --duration 2s --tsc-khz 2000000");
  assert.deepEqual(await settingsIn(a, b), [
    "durationNs: 3s | 2s",
    "update.kind: pcpu-change | entry",
    "accounting: rfc-v2 | mainline",
    "tscKhz: 2600000 | 2000000",
  ]);
  assert.deepEqual(await settingsIn(await run(""), await run("--update periodic=1ms")), [
    "update.kind: entry | periodic",
    "update.periodNs: unset | 1ms",
  ]);
  assert.deepEqual(await settingsIn(a, { ...a, engine: "virtual", seed: 7 }), [
    "engine: real | virtual",
    "seed: unset | 7",
  ]);
});

test("vCPUs that differ in the same way are named together, host tasks one by one", async () => {
  const a = await run("--vcpus 4 --nice 0-2=5 --pcpus 2 --pin 3=0-1");
  const b = await run("--vcpus 4 --workload 1=duty:50%/10ms --pcpus 2 --host-task hog");
  assert.deepEqual(await settingsIn(a, b), [
    "vcpus[0-2].nice: 5 | 0",
    "vcpus[1].workload.kind: hog | duty",
    "vcpus[1].workload.busyNs: unset | 5ms",
    "vcpus[1].workload.periodNs: unset | 10ms",
    "vcpus[3].pcpus: 0-1 | unset",
    "hostTasks.length: 0 | 1",
  ]);
});

test("tick phases that follow from HZ are no difference of their own, others are", async () => {
  assert.deepEqual(await settingsIn(await run("--hz 250"), await run("--hz 1000")), ["hz: 250 | 1000"]);
  assert.deepEqual(await settingsIn(await run(""), await run("--tick-phase 2ms")), [
    "vcpus[0-1].tickPhaseNs: staggered | 2ms",
  ]);
});

test("a document of before there were seeds has none", async () => {
  const { seed, ...older } = await run("");
  assert.equal(seed, null);
  assert.match(await said(older, await run("")), /The two runs are identical/);
  assert.match(await said(older, await run("", [UNSEEN])), /No setting differs\./);
});

/** The cells of one row of the first table that has all these titles. */
function rowUnder(stdout: string, title: string, first: string): string[] {
  const lines = stdout.split("\n");
  const start = lines.findIndex((line) => line.includes(title) && line.startsWith("     "));
  assert.notEqual(start, -1, `no ${title} in:\n${stdout}`);
  const row = lines.slice(start).find((line) => line.trim().split(/\s+/)[0] === first);
  return row?.trim().split(/\s+/) ?? [];
}

test("shares of elapsed time, and their differences in points", async () => {
  const a = await run("", [
    {},
    {
      guest: { userNs: 1.2e9, systemNs: 0.3e9, idleNs: 0.6e9, stealNs: 0.9e9 },
      host: { runNs: 1.5e9, waitNs: 1.2e9, haltNs: 0.3e9 },
    },
  ]);
  const b = await run(
    "",
    [
      {
        guest: { userNs: 0.4e9, systemNs: 0.1e9, idleNs: 0.2e9, stealNs: 0.3e9 },
        host: { runNs: 0.8e9, waitNs: 1e9, haltNs: 0.2e9 },
      },
      { guest: { userNs: 1e9, stealNs: 1e9 }, host: { runNs: 1e9, waitNs: 1e9 } },
    ],
    { elapsedNs: 2e9 },
  );
  const { stdout } = await compare(a, b);
  assert.deepEqual(rowUnder(stdout, "guest user", "0"), [
    ...["0", "50.0", "20.0", "-30.0", "0.0", "5.0", "+5.0", "0.0", "10.0", "+10.0"],
    ...["50.0", "15.0", "-35.0"],
  ]);
  assert.deepEqual(rowUnder(stdout, "guest user", "1"), [
    ...["1", "40.0", "50.0", "+10.0", "10.0", "0.0", "-10.0", "20.0", "0.0", "-20.0"],
    ...["30.0", "50.0", "+20.0"],
  ]);
  assert.deepEqual(rowUnder(stdout, "guest user", "total").slice(0, 4), ["total", "45.0", "35.0", "-10.0"]);
  assert.deepEqual(rowUnder(stdout, "true wait", "0"), [
    ...["0", "50.0", "50.0", "0.0", "50.0", "40.0", "-10.0", "0.0", "10.0", "+10.0"],
    ...["0.0", "50.0", "+50.0"],
  ]);
});

test("counts stand there only where they differ", async () => {
  const a = await run("", [{}, { guest: { softlockups: { reported: 2, suppressed: 0 } }, page: { updates: 375 } }]);
  const b = await run("", [{}, { guest: { softlockups: { reported: 0, suppressed: 2 } }, page: { updates: 400 } }]);
  const { stdout } = await compare(a, b);
  assert.deepEqual(rowUnder(stdout, "lockups", "1"), ["1", "2", "0", "-2", "0", "2", "+2", "375", "400", "+25"]);
  assert.deepEqual(rowUnder(stdout, "lockups", "total"), [
    "total",
    ...["2", "0", "-2", "0", "2", "+2", "750", "775", "+25"],
  ]);
  assert.ok(!stdout.includes("lost ticks"));
  const lost = await run("", [{ guest: { lostTicks: 4 } }]);
  const { stdout: other } = await compare(await run(""), lost);
  assert.deepEqual(rowUnder(other, "lost ticks", "0"), ["0", "3", "4", "+1"]);
  assert.ok(!other.includes("page updates"));
});

const UNSEEN: Changes = { guest: { stealNs: 0, userNs: 2.9e9 }, page: { updates: 1 } };

test("the largest differences are told first, and by which rule the only setting makes them", async () => {
  const a = await run("--update pcpu-change", [{ ...UNSEEN, host: { noiseNs: 90_000_000 } }, UNSEEN]);
  const text = await said(a, await run("--update entry"));
  const steal = "guest steal differs most on vCPU 0: 0.0 % in A, 50.0 % in B (+50.0 points).";
  const user = "guest user differs most on vCPU 0: 96.7 % in A, 50.0 % in B (-46.7 points).";
  assert.ok(text.indexOf(steal) > 0 && text.indexOf(user) > text.indexOf(steal), text);
  assert.match(
    text,
    /only setting that differs is update: what differs comes from it, or from the real machine \(noise: at most 3\.0 % of/,
  );
  assert.match(text, /A: vCPUs 0-1: saw 0\.0 % steal of the elapsed time, true is 50\.0 %: update pcpu-change writes/);
  assert.match(text, /B: what the guests believe is true, to 1 % and two ticks\./);
});

test("in virtual runs nothing but the setting makes a difference", async () => {
  const a = await run("--update pcpu-change", [UNSEEN], { engine: "virtual", seed: 1 });
  const b = await run("--update entry", [], { engine: "virtual", seed: 1 });
  assert.match(await said(a, b), /is update: what differs comes from it\. What it does to each run: A: vCPU 0: saw/);
});

test("no cause is named for two settings, for one that no rule is about, or for no difference", async () => {
  const a = await run("", [UNSEEN]);
  assert.ok(!(await said(a, await run("--update pcpu-change --hz 1000"))).includes("only setting"));
  assert.ok(!(await said(a, await run("--slice 2ms"))).includes("only setting"));
  const same = await said(await run(""), await run("--hz 1000"));
  assert.match(same, /No share of any vCPU differs by more than 1\.0 points\./);
  assert.match(same, /The only setting that differs is hz; it makes no difference to speak of here\./);
});

test("equal settings on real threads: the machine made the difference", async () => {
  const text = await said(await run("", [{ host: { noiseNs: null } }]), await run("", [UNSEEN]));
  assert.match(text, /No setting differs\./);
  assert.match(text, /All settings are equal: what differs is the real machine's part in it\./);
});

test("unknown noise is said, and so is a broken invariant", async () => {
  const a = await run("--accounting none", [{ host: { noiseNs: null } }], { ok: false });
  const text = await said(a, await run("", [UNSEEN]));
  assert.match(text, /noise: unknown\)/);
  assert.match(text, /A: an invariant is broken/);
  assert.ok(!text.includes("B: an invariant"));
});

test("shares closer than two ticks are called equal", async () => {
  // 15 ms of 500 ms are 3 %; two ticks at HZ 100 are 4 %, at HZ 250 1.6 %.
  const figures = (haltNs: number) => ({ host: { runNs: 0.25e9, waitNs: 0.25e9, haltNs } });
  const both = async (args: string) => {
    const a = await run(`--vcpus 1 ${args}`, [figures(0)], { elapsedNs: 500_000_000 });
    return said(a, { ...a, vcpus: [vcpuResult(0, figures(15_000_000))] });
  };
  assert.match(await both("--hz 100"), /No share of any vCPU differs by more than 4\.0 points/);
  assert.match(await both("--hz 250"), /true halt differs most on vCPU 0: 0\.0 % in A, 3\.0 % in B \(\+3\.0 points\)/);
});

test("identical runs say so, and no more; what the machine alone decides does not count", async () => {
  const a = await run("");
  const b = { ...a, bootNs: 7, vcpus: a.vcpus.map((vcpu) => ({ ...vcpu, cost: { tickNs: 1, pageReadNs: null } })) };
  const { stdout, exitCode } = await compare(a, b);
  assert.equal(exitCode, 0);
  assert.match(stdout.replace(/\s+/g, " "), /The two runs are identical: every setting, and every figure/);
  assert.ok(!stdout.includes("guest user"));
  const { identical, settings, vcpus } = await json(a, b);
  assert.deepEqual([identical, settings, vcpus.length], [true, [], 2]);
  const other = { ...a, vcpus: [a.vcpus[0], vcpuResult(1, { reads: { retries: 3 } })] };
  assert.equal((await json(a, other)).identical, false);
  assert.equal((await json(a, { ...a, seed: 1 })).identical, false);
});

test("runs with different numbers of vCPUs: those in both are compared, and it is said", async () => {
  const a = await run("--vcpus 2");
  const b = await run("--vcpus 4");
  const text = await said(a, b);
  assert.match(text, /vcpus\.length: 2 \| 4/);
  assert.match(text, /A has 2 vCPUs, B has 4 vCPUs: compared are those in both, vCPUs 0-1\./);
  const document = await json(b, a);
  assert.deepEqual([document.exitCode, document.a.vcpus, document.b.vcpus, document.vcpus.length], [0, 4, 2, 2]);
  const apart = { ...a, vcpus: [vcpuResult(8)] };
  assert.match(await said(a, apart), /A has 2 vCPUs, B has 1 vCPU: none is in both\./);
});

const QUIET: Changes = { host: { noiseNs: 0 } };

test("a real run beside a virtual one of the same scenario: agreement, and exit 1 when there is none", async () => {
  const real = await run("", [QUIET, QUIET]);
  const virtual = { ...(await run("", [QUIET, QUIET])), engine: "virtual", seed: 3 } as const;
  const outcome = await compare(real, virtual);
  assert.equal(outcome.exitCode, 0);
  assert.match(outcome.stdout, /^Real beside virtual: agrees: 2 of 2 vCPUs: every share/m);
  assert.match(outcome.stdout.replace(/\s+/g, " "), /B: .* virtual engine, 2 vCPUs on 1 pCPU.* seed 3/);

  const off = { ...real, vcpus: [real.vcpus[0], vcpuResult(1, { host: { noiseNs: 0, waitNs: 1e9 } })] };
  for (const [a, b] of [
    [off, virtual],
    [virtual, off],
  ]) {
    const { stdout, exitCode } = await compare(a, b);
    assert.equal(exitCode, 1);
    assert.match(stdout, /^Real beside virtual: differs: 1 of 2 vCPUs:/m);
    assert.match(stdout.replace(/\s+/g, " "), /vCPU 1 differs: wait 33\.33 % real, 50\.00 % virtual/);
    assert.ok(!stdout.includes("vCPU 0 agrees"));
  }
  const loud = { ...real, vcpus: [vcpuResult(0, { host: { noiseNs: null } }), real.vcpus[1]] };
  const { exitCode, agreement } = await json(virtual, loud);
  assert.deepEqual([exitCode, agreement.verdict], [0, "inconclusive"]);
});

test("no verdict on two real runs, or on different scenarios", async () => {
  const real = await run("");
  assert.equal((await json(real, await run("", [UNSEEN]))).agreement, null);
  const virtual = { ...(await run("--hz 1000", [UNSEEN])), engine: "virtual", seed: 3 };
  const { agreement, exitCode } = await json(real, virtual);
  assert.deepEqual([agreement, exitCode], [null, 0]);
});

test("the document of --json", async () => {
  const a = await run("--vcpus 1 --accounting none", [UNSEEN]);
  const b = await run("--vcpus 1 --accounting mainline");
  const fileA = fileOf(a);
  const fileB = fileOf(b);
  const { stdout } = await cli(["compare", "--json", fileA, fileB]);
  const { sentences, vcpus, ...rest } = JSON.parse(stdout);
  assert.deepEqual(rest, {
    schema: "stealclock.compare/1",
    a: { file: fileA, vcpus: 1 },
    b: { file: fileB, vcpus: 1 },
    identical: false,
    settings: [{ path: "accounting", a: "none", b: "mainline" }],
    agreement: null,
  });
  assert.equal(vcpus.length, 1);
  assert.deepEqual(vcpus[0].percentOfElapsed.guestSteal, { a: 0, b: 50, difference: 50 });
  assert.deepEqual(Object.keys(vcpus[0].percentOfElapsed), [
    ...["guestUser", "guestSystem", "guestIdle", "guestSteal", "wait", "run", "halt", "unaccounted"],
  ]);
  assert.deepEqual(vcpus[0].counts, {
    lockups: { a: 0, b: 0, difference: 0 },
    suppressed: { a: 0, b: 0, difference: 0 },
    lostTicks: { a: 3, b: 3, difference: 0 },
    updates: { a: 1, b: 375, difference: 374 },
  });
  assert.match(sentences.join(" "), /only setting that differs is accounting/);
});

test("no line is wider than the terminal", async () => {
  const a = await run("--vcpus 3 --nice 0=5", [UNSEEN, {}, { guest: { lostTicks: 9 } }]);
  const b = { ...(await run("--vcpus 3")), engine: "virtual", seed: 3 };
  const files = [fileOf(a), fileOf(b), fileOf({ ...b, config: a.config })];
  for (const columns of [40, 60, 80, 120, 200]) {
    for (const other of files.slice(1)) {
      const stdout = new Captured({ columns, rows: 24 });
      await cli(["compare", files[0], other], { stdout });
      assert.ok(stdout.text.includes("guest steal"));
      for (const line of stdout.text.split("\n")) assert.ok(line.length <= columns, `${columns}: ${line}`);
    }
  }
});

test("files that are no run documents", async () => {
  const good = fileOf(await run(""));
  const accepted = "accepted: a run document (stealclock.run/1), as emulate --json prints it";
  await assertRefused([join(folder, "none.json"), good], "none.json: no such file", accepted);
  await assertRefused([good, folder], "this is a folder", accepted);
  await assertRefused([good, fileOf("")], "the file is empty", accepted);
  await assertRefused([good, fileOf("> stealclock@0.1.0 emulate\n{}")], "not JSON: ", accepted, "npm run needs -s");
  await assertRefused([good, fileOf([1])], "no schema is named in it", accepted);
  await assertRefused([good, fileOf("null")], "no schema is named in it", accepted);
  await assertRefused(
    [good, fileOf({ schema: "stealclock.sample/1" })],
    'its schema is "stealclock.sample/1"',
    accepted,
  );
  await assertRefused([good], "missing required argument 'b'", "see stealclock compare --help");
  await assertRefused([good, good, good], "too many arguments");
});

test("documents that lack what is compared: where, and what is there", async () => {
  const good = await run("");
  const refuse = async (changes: object, ...parts: string[]) => {
    const file = fileOf({ ...good, ...changes });
    await assertRefused([fileOf(good), file], ...parts.map((part) => `${file}: ${part}`), "accepted: a run document");
  };
  await refuse({ elapsedNs: "3s" }, "elapsedNs: ");
  await refuse({ engine: "quantum" }, "engine: ");
  await refuse({ vcpus: [] }, "vcpus: ");
  await refuse({ vcpus: [good.vcpus[0], { ...good.vcpus[1], host: {} }] }, "vcpus[1].host.runNs: ");
  await refuse({ config: { ...good.config, hz: 0 } }, "config.hz: ");
  await refuse({ config: null }, "config: ");
  const { stderr } = await cli(["compare", fileOf(good), fileOf({ schema: "stealclock.run/1" })]);
  assert.match(stderr, /\n.*3 more; accepted: a run document/);
});
