import { inlineMore } from "../src/engine/inline-more.js";
import { runBench } from "./command/run-bench.js";

// Before anything is made, so that what a run leaves in the temporary folder is removed on the way out.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
// One of several, and the process that wants its figures is gone.
process.once("disconnect", () => process.exit(1));

// Figures that nobody could keep are worth a word; a reader that went away is not.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") process.stderr.write(`bench: stdout: ${error.message}\n`);
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

// As the hypervisor does, and before any row is compiled: it holds for all threads of a process.
inlineMore();

void runBench(process.argv.slice(2), {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  // A pipe or a file takes any width.
  width: process.stdout.columns || 200,
}).then((exitCode) => {
  // What is still in a pipe has to leave first, and what could not be written to be told; a thread that a failed run left
  // behind must not keep the process.
  process.stdout.write("", () => setImmediate(() => process.exit(exitCode)));
});
