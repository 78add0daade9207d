#!/usr/bin/env node
import { emulate } from "../engine/emulate.js";
import { thisMachine } from "../engine/machine.js";
import { stderrDestination } from "./log.js";
import { runCli } from "./program.js";
import { drawSeed } from "./seed.js";

/** A run leaves nothing behind; should it ever, the process ends all the same. */
const LINGER_MS = 1_000;

void runCli(process.argv.slice(2), {
  emulate,
  stdout: process.stdout,
  stderr: process.stderr,
  logDestination: stderrDestination,
  machine: thisMachine,
  drawSeed,
  env: process.env,
  signals: process,
  nowMs: () => performance.now(),
  leave: (exitCode) => process.exit(exitCode),
}).then((exitCode) => {
  process.exitCode = exitCode;
  setTimeout(() => process.exit(exitCode), LINGER_MS).unref();
});
