import { runBench } from "./command/run-bench.js";

void runBench(process.argv.slice(2), {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  width: Math.max(process.stdout.columns || 0, 120),
}).then((exitCode) => {
  process.exitCode = exitCode;
});
