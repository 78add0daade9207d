import { runBench } from "./command/run-bench.js";

void runBench(process.argv.slice(2), {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  // A pipe or a file takes any width.
  width: process.stdout.columns || 200,
}).then((exitCode) => {
  process.exitCode = exitCode;
});
