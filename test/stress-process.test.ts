import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { protocolFile, readWith, WRITE } from "./stress-helpers.js";

const MAIN = join(__dirname, "../src/cli/main.js");

/** Runs the command as a process of its own, to its end: what leaves a thread behind never comes to one. */
async function run(
  args: readonly string[],
  whileItRuns: (child: ChildProcess) => Promise<void> = async () => {},
  nodeFlags: readonly string[] = [],
) {
  const child = spawn(process.execPath, [...nodeFlags, MAIN, "stress", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const closed = once(child, "close");
  await whileItRuns(child);
  const [exitCode, signal] = await closed;
  return { exitCode, signal, stdout, stderr };
}

test("SIGINT and SIGTERM end a run early, with what it has found so far", async (t) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // Says by a file that it has met the writer at work: for real, not in the explorer's recorder.
    const onAccepted =
      "if (retries > 0 && Atomics[Symbol.toStringTag]) writeFileSync(import.meta.filename + '.met', '');";
    const file = protocolFile(
      t,
      `import { writeFileSync } from "node:fs";\n${WRITE}\n${readWith("", onAccepted)}`,
      `${signal}.mjs`,
    );
    const outcome = await run(["--duration", "1h", "--protocol-file", file], async (child) => {
      while (!existsSync(`${file}.met`) && child.exitCode === null) await sleep(20);
      child.kill(signal);
    });
    assert.equal(outcome.exitCode, 0, outcome.stderr);
    assert.equal(outcome.stderr, "stealclock: stopping; once more leaves at once\n");
    assert.match(outcome.stdout, /ok as far as it went, stopped early: \d+ reads/);
  }
});

test("the death of a part ends the process with 1, names it, and prints no result", async () => {
  for (const [fault, name] of [
    ["reader-killed", "reader 0"],
    ["writer-killed", "the writer"],
    ["out-of-memory", "reader 0"],
  ] as const) {
    // So long that only the death can have ended it.
    const { exitCode, stdout, stderr } = await run(["--fault", fault, "--duration", "3s", "--readers", "2"]);
    assert.deepEqual([exitCode, stdout], [1, ""], fault);
    assert.match(stderr, new RegExp(`^stealclock: ${name} died: .*\n$`));
  }
});

test("a run of many threads says nothing of them on stderr", async () => {
  // More of them than Node takes listeners of one kind for.
  const { stderr } = await run(["--readers", "16", "--duration", "1ms"]);
  assert.doesNotMatch(stderr, /Warning/);
});

test("where WebAssembly can't be had the Atomics backend is run, and that is said; asked for by name it is refused", async () => {
  const jitless = (args: readonly string[]) => run(args, async () => {}, ["--jitless"]);
  const unasked = await jitless(["--fault", "aba"]);
  assert.equal(unasked.exitCode, 0);
  assert.match(unasked.stderr, /^stealclock: the wasm protocol backend can't be used; atomics are used instead$/m);
  assert.match(unasked.stdout, /ok: 3 reads beside 3 updates, 1 torn\.\n$/);
  for (const args of [
    ["--protocol", "shipped-wasm"],
    ["--protocol-backend", "wasm"],
  ]) {
    const { exitCode, stdout, stderr } = await jitless(args);
    assert.deepEqual([exitCode, stdout], [2, ""]);
    assert.match(
      stderr,
      /^stealclock: the wasm protocol backend can't be used \(.*\); --protocol-backend atomics does/m,
    );
  }
});

test("--json is one document of real runs", async () => {
  const { exitCode, stdout, stderr } = await run(["--fault", "writer-dies", "--duration", "300ms", "--json"]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  const { schema, ok, runs } = JSON.parse(stdout);
  assert.deepEqual([schema, ok, runs.length], ["stealclock.stress/1", true, 1]);
  const [{ protocol, torn, verdict, fault }] = runs;
  assert.deepEqual([protocol, torn, verdict, fault.phases.length], ["shipped-wasm", 0, "clean", 3]);
});

test("a protocol file that hangs ends with 2", async (t) => {
  // Not in the explorer's recorder, whose Atomics have no name.
  const file = protocolFile(t, `${WRITE}\n${readWith("if (reads > 2000 && Atomics[Symbol.toStringTag]) for (;;);")}`);
  const { exitCode, stdout, stderr } = await run(["--protocol-file", file]);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.equal(stderr, `stealclock: ${file}: read() did not return within 4 s\n`);
});
