import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import type { EmulateOptions } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { StealclockError } from "../src/shared/errors.js";
import { Captured, ClosedPipe, cli, MACHINE, runResult, sampleOf } from "./cli-helpers.js";

const ERASE_LINE = "\u001B[2K";
const TERMINAL = { columns: 80, rows: 24 };

/** An engine that gives three samples, one after the other, unless it is stopped. */
async function sampling(scenario: Scenario, { onSample, signal }: EmulateOptions) {
  for (let second = 1; second <= 3 && signal?.aborted !== true; second++) {
    onSample?.(sampleOf(scenario.vcpus.length, second * 1e9));
    await new Promise(setImmediate);
  }
  return runResult(scenario, { stoppedEarly: signal?.aborted === true });
}

test("a run that holds prints its table and leaves with 0", async () => {
  const { exitCode, stdout, stderr } = await cli(["emulate"]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /what the guest believes/);
  assert.equal(stderr, "stealclock: 2 vCPUs on 1 pCPU for 3 s\n");
  assert.ok(!stdout.includes("\u001B"), "no escape sequence in a pipe");
});

test("a broken invariant leaves with 1", async () => {
  const invariants = [{ name: "no torn read", status: "broken", detail: "3 torn" } as const];
  const emulate = async (scenario: Scenario) => runResult(scenario, { ok: false, invariants });
  const loud = await cli(["emulate"], { emulate });
  assert.equal(loud.exitCode, 1);
  assert.match(loud.stdout, /broken {9}no torn read: 3 torn/);
  const quiet = await cli(["emulate", "--quiet"], { emulate });
  assert.equal(quiet.exitCode, 1);
  assert.equal(quiet.stdout, "");
  assert.match(quiet.stderr, /^broken {9}no torn read: 3 torn\n1 invariant broken: exit code 1\.\n$/);
});

test("--quiet says nothing when nothing is broken", async () => {
  const { exitCode, stdout, stderr } = await cli(["emulate", "--quiet", "--pcpus", "64"]);
  assert.deepEqual([exitCode, stdout, stderr], [0, "", ""]);
});

test("--json prints one document and nothing else", async () => {
  const { stdout, stderr, scenario } = await cli(["emulate", "--json"]);
  assert.ok(scenario !== null);
  assert.deepEqual(JSON.parse(stdout), runResult(scenario));
  assert.equal(stderr, "");
});

test("--sample prints a line per sample, and the table goes to stderr", async () => {
  const { stdout, stderr } = await cli(["emulate", "--sample", "1s"], { emulate: sampling });
  const samples = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    samples,
    [1, 2, 3].map((second) => sampleOf(2, second * 1e9)),
  );
  assert.match(stderr, /what the guest believes/);
});

test("--sample with --json adds the samples to the one document", async () => {
  const { stdout, scenario } = await cli(["emulate", "--sample", "1s", "--json"], { emulate: sampling });
  assert.ok(scenario !== null);
  const samples = [1, 2, 3].map((second) => sampleOf(2, second * 1e9));
  assert.deepEqual(JSON.parse(stdout), { ...runResult(scenario), samples });
});

test("the sample interval reaches the engine", async () => {
  const asked: (number | undefined)[] = [];
  const emulate = async (scenario: Scenario, { sampleNs }: EmulateOptions) => {
    asked.push(sampleNs);
    return runResult(scenario);
  };
  await cli(["emulate", "--sample", "250ms"], { emulate });
  await cli(["emulate"], { emulate });
  await cli(["emulate"], { emulate, stdout: new Captured(TERMINAL) });
  assert.deepEqual(asked, [250_000_000, undefined, 500_000_000]);
});

test("a terminal gets the live view and colours, unless told otherwise", async () => {
  const run = async (args: string[], env = {}) => {
    const stdout = new Captured(TERMINAL);
    await cli(["emulate", ...args], { emulate: sampling, stdout, env });
    return stdout.text;
  };
  const isLive = (text: string) => text.includes("s left");
  const isPainted = (text: string) => text.includes("\u001B[1m");
  const usual = await run([]);
  assert.ok(isLive(usual) && isPainted(usual));
  const [, afterView = ""] = usual.split(/s left(?!.*s left)/s);
  assert.ok(afterView.indexOf(ERASE_LINE) < afterView.indexOf("what the guest believes"), "the view is wiped first");
  assert.ok(afterView.includes(ERASE_LINE));
  const still = await run(["--no-live"]);
  assert.ok(!isLive(still) && isPainted(still));
  const uncoloured = await run([], { NO_COLOR: "1" });
  assert.ok(isLive(uncoloured) && !isPainted(uncoloured));
  assert.ok(isPainted(await run([], { NO_COLOR: "" })), "an empty NO_COLOR asks for nothing");
  const dumb = await run([], { TERM: "dumb" });
  assert.ok(!dumb.includes("\u001B"));
  for (const flag of ["--json", "--quiet", "--sample=1s"]) assert.ok(!isLive(await run([flag])), flag);
});

test("warnings come first on stderr, and in the result", async () => {
  const emulate = async (scenario: Scenario) => runResult(scenario, { warnings: ["noisy"] });
  const machine = () => ({ ...MACHINE, cores: 2 });
  const { stderr, stdout } = await cli(["emulate", "--pcpus", "2", "--json"], { emulate, machine });
  assert.match(stderr, /^stealclock: warning: 2 pCPUs on 2 cores/);
  const { warnings } = JSON.parse(stdout);
  assert.equal(warnings.length, 2);
  assert.equal(warnings[1], "noisy");
});

test("a part that dies ends the run with its name and 1", async () => {
  const emulate = () => Promise.reject(new StealclockError("part-died", "vCPU 3 ran out of memory"));
  for (const stdout of [new Captured(), new Captured(TERMINAL)]) {
    const { exitCode, stderr } = await cli(["emulate"], { emulate, stdout });
    assert.equal(exitCode, 1);
    assert.match(stderr, /stealclock: vCPU 3 ran out of memory\n$/);
    assert.ok(!stdout.text.includes("what the guest believes"), "nothing that was not measured");
    if (stdout.isTTY) assert.ok(stdout.text.lastIndexOf(ERASE_LINE) > stdout.text.lastIndexOf("starting 2 vCPUs"));
  }
});

test("an error that nobody expected shows where it came from", async () => {
  const { exitCode, stderr } = await cli(["emulate"], { emulate: () => Promise.reject(new TypeError("oops")) });
  assert.equal(exitCode, 1);
  assert.match(stderr, /internal error: TypeError: oops\n {4}at /);
});

test("what the machine cannot do leaves with 2, a stop before the start with 130", async () => {
  const failing = (code: "unsupported" | "stopped") => () => Promise.reject(new StealclockError(code, "because"));
  assert.equal((await cli(["emulate"], { emulate: failing("unsupported") })).exitCode, 2);
  assert.equal((await cli(["emulate"], { emulate: failing("stopped") })).exitCode, 130);
});

/** An engine that runs until it is stopped; `steps` happen meanwhile, each a time and a signal. */
function signalled(steps: readonly (readonly [ms: number, signal: "SIGINT" | "SIGTERM"])[]) {
  const signals = new EventEmitter();
  let now = 0;
  let wasAborted = false;
  const emulate = async (scenario: Scenario, { signal }: EmulateOptions) => {
    for (const [ms, name] of steps) {
      now = ms;
      signals.emit(name);
    }
    wasAborted = signal?.aborted === true;
    return runResult(scenario, { stoppedEarly: wasAborted });
  };
  return { signals, nowMs: () => now, emulate, wasAborted: () => wasAborted };
}

test("the first signal ends the run, which is still reported", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const run = signalled([[1000, signal]]);
    const { exitCode, stdout, left } = await cli(["emulate"], run);
    assert.equal(exitCode, 0);
    assert.ok(run.wasAborted());
    assert.match(stdout, /stopped early/);
    assert.deepEqual(left, []);
    assert.equal(run.signals.listenerCount(signal), 0, "handlers are taken away again");
  }
});

test("a repeat within 400 ms is npm's echo, a later one leaves with 130", async () => {
  const leftAfter = async (...ms: number[]) => {
    const { left } = await cli(["emulate"], signalled(ms.map((one) => [one, "SIGINT"])));
    return left;
  };
  assert.deepEqual(await leftAfter(0, 10), []);
  assert.deepEqual(await leftAfter(0, 10, 400), []);
  assert.deepEqual(await leftAfter(0, 401), [130]);
  assert.deepEqual(await leftAfter(0, 10, 2000), [130]);
  const { left } = await cli(
    ["emulate"],
    signalled([
      [0, "SIGTERM"],
      [500, "SIGINT"],
    ]),
  );
  assert.deepEqual(left, [130]);
});

test("a pipe that is closed ends the run quietly", async () => {
  const stdout = new ClosedPipe(1);
  let samples = 0;
  const emulate = async (scenario: Scenario, options: EmulateOptions) => {
    while (options.signal?.aborted !== true && samples < 100) {
      options.onSample?.(sampleOf(2, ++samples * 1e9));
      await new Promise(setImmediate);
    }
    return runResult(scenario, { stoppedEarly: true });
  };
  const { exitCode, stderr } = await cli(["emulate", "--sample", "1s"], { emulate, stdout });
  assert.equal(exitCode, 0);
  assert.ok(samples < 10);
  assert.equal(stderr, "stealclock: 2 vCPUs on 1 pCPU for 3 s\n");
});

test("a closed stderr does no harm", async () => {
  const { exitCode } = await cli(["emulate"], { stderr: new ClosedPipe(0) });
  assert.equal(exitCode, 0);
});

test("a full disk is told and leaves with 1", async () => {
  class FullDisk extends Captured {
    override _write(_chunk: string, _encoding: string, done: (error?: Error | null) => void): void {
      done(Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" }));
    }
  }
  const { exitCode, stderr } = await cli(["emulate"], { stdout: new FullDisk() });
  assert.equal(exitCode, 1);
  assert.match(stderr, /stealclock: stdout: ENOSPC/);
});

test("log lines go to the log, from the level that was asked for", async () => {
  const emulate = async (scenario: Scenario, { onLog }: EmulateOptions) => {
    onLog?.({ level: "info", part: "hypervisor", message: "started", fields: { vcpus: 2 } });
    onLog?.({ level: "warn", part: "vCPU 1", message: "late" });
    onLog?.({ level: "error", part: "vCPU 1", message: "worse" });
    return runResult(scenario);
  };
  const messages = async (...args: string[]) => {
    const { log } = await cli(["emulate", ...args], { emulate });
    return log.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line).msg]));
  };
  assert.deepEqual(await messages(), ["late", "worse"]);
  assert.deepEqual(await messages("--log-level", "info"), ["started", "late", "worse"]);
  assert.deepEqual(await messages("--log-level", "silent"), []);
  assert.deepEqual(await messages("--quiet"), ["worse"]);
  const { log } = await cli(["emulate", "--log-level", "info"], { emulate });
  const { part, vcpus } = JSON.parse(log.split("\n")[0] ?? "");
  assert.deepEqual([part, vcpus], ["hypervisor", 2]);
});

test("--help and --version go to stdout and leave with 0", async () => {
  const version = await cli(["--version"]);
  assert.equal(version.exitCode, 0);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const help = await cli(["emulate", "--help"]);
  assert.equal(help.exitCode, 0);
  assert.match(help.stdout, /Examples:\n {2}stealclock emulate --vcpus 8/);
  assert.match(help.stdout, /Shipped scenarios: stealclock scenarios list/);
  assert.equal(help.scenario, null);
});
