import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { NativeProgram } from "../bench/native/native-program.js";

const BENCH = join(__dirname, "../bench/bench.js");
/** Far beyond what a busy machine needs, and far below what so many rounds take. */
const PATIENCE_MS = 60_000;

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const endMs = Date.now() + PATIENCE_MS; !isSo(); await sleep(20)) {
    assert.ok(Date.now() < endMs, what);
  }
}

const compiler = NativeProgram.compile();
compiler?.close();

for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGKILL", null],
] as const) {
  const skip = compiler === null ? "no C compiler, so nothing is left in the temporary folder" : false;
  test(`${signal} to a bench of several processes leaves none of them, and no file`, { skip }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "stealclock-bench-process-"));
    try {
      const bench = spawn(process.execPath, [BENCH, "--filter", "uncontended/read.", "--rounds", "9999"], {
        env: { ...process.env, TMPDIR: folder },
        stdio: "ignore",
      });
      const ended = once(bench, "exit");
      await until("a process of the bench has begun", () => readdirSync(folder).length > 0);
      bench.kill(signal);
      assert.equal((await ended)[0], exitCode);
      // Its process removes what it made on the way out.
      await until("the process has gone, too", () => readdirSync(folder).length === 0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
