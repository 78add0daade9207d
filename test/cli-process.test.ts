import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";

const MAIN = join(__dirname, "../src/cli/main.js");

/** Runs the command as a process of its own; `onFirstOutput` happens at the first output on stdout. */
async function run(
  args: readonly string[],
  onFirstOutput: (child: ReturnType<typeof spawn>) => void = () => undefined,
) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.once("data", () => onFirstOutput(child));
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [exitCode, signal] = await once(child, "close");
  return { exitCode, signal, stdout, stderr };
}

const LONG = ["emulate", "--vcpus", "1", "--duration", "1h", "--sample", "50ms"];

test("SIGINT and SIGTERM end a run early and its result is printed", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const { exitCode, stderr } = await run(LONG, (child) => child.kill(signal));
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /stealclock: stopping/);
    assert.match(stderr, /1 vCPU on 1 pCPU, rfc-v2 at HZ 250, [\d.]+ s, stopped early/);
  }
});

test("a reader that goes away ends the run without a word", async () => {
  const { exitCode, stderr } = await run(LONG, (child) => child.stdout?.destroy());
  assert.equal(exitCode, 0, stderr);
  assert.equal(stderr, "stealclock: 1 vCPU on 1 pCPU for 3600 s\n");
});

test("--json is one document of the real engine", async () => {
  const { exitCode, stdout } = await run(["emulate", "--vcpus", "1", "--duration", "50ms", "--json"]);
  assert.equal(exitCode, 0);
  const { schema, config, vcpus } = JSON.parse(stdout);
  assert.deepEqual([schema, config.durationNs, vcpus.length], ["stealclock.run/1", 50_000_000, 1]);
});

test("bad input leaves with 2", async () => {
  const { exitCode, stdout, stderr } = await run(["emulate", "--vcpus", "0"]);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.match(
    stderr,
    /^stealclock: --vcpus: 0 is not a number of vCPUs; accepted: an integer from 1 to 1024 in .*\n$/,
  );
});
