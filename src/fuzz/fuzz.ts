#!/usr/bin/env node
import { join } from "node:path";
import { CommanderError } from "commander";
import { readScenarioFile } from "../cli/scenario-file.js";
import { resolveScenario } from "../cli/scenario-resolve.js";
import { listenForStop } from "../cli/signals.js";
import { thisMachine } from "../engine/machine.js";
import { StealclockError } from "../shared/errors.js";
import { keepFailure } from "./failure-file.js";
import { type FuzzFlags, readFuzzFlags } from "./fuzz-flags.js";
import { fuzzLines, fuzzResultOf } from "./fuzz-report.js";
import { plantedLines, runPlanted } from "./planted.js";
import { ProgressLine } from "./progress.js";
import { runOne } from "./run-one.js";
import { search } from "./search.js";

const EXIT_FAILED = 1;
const EXIT_BAD_INPUT = 2;
const EXIT_INTERRUPTED = 130;
/** After so many seeds failed a search has found enough to go on with. */
const MAX_FAILURES = 5;

/** A file that gives no seed is run with this one: it can be run again. */
const DEFAULT_SEED = 0;

/** The fuzzer's whole command line. @returns the exit code: 0 nothing broke, 1 something did, 2 bad input, 130 stopped */
async function main(argv: readonly string[]): Promise<number> {
  try {
    const flags = readFuzzFlags(argv, (text) => process.stderr.write(text));
    if (flags.scenario !== null) return runFile(flags.scenario, flags.json);
    return await (flags.planted ? plant(flags) : fuzz(flags));
  } catch (error) {
    // commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_BAD_INPUT;
    if (!(error instanceof StealclockError)) throw error;
    process.stderr.write(`fuzz: ${error.message.replaceAll("\n", "\nfuzz: ")}\n`);
    return EXIT_BAD_INPUT;
  }
}

/**
 * Does something that can be asked to stop. Handlers are there for as long only: what holds this thread, such as
 * shrinking, would never hear of the signal, which then has to end the process by itself.
 */
async function stoppable<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const stopListening = listenForStop({
    source: process,
    nowMs: () => performance.now(),
    onStop: () => stop.abort(),
    onLeave: () => process.exit(EXIT_INTERRUPTED),
  });
  try {
    return await act(stop.signal);
  } finally {
    stopListening();
  }
}

async function fuzz({ seeds, seedFrom, json }: FuzzFlags): Promise<number> {
  const progress = new ProgressLine(process.stderr, () => performance.now());
  const tally = await stoppable((signal) =>
    search({
      workerFile: join(__dirname, "fuzz-worker.js"),
      seedFrom,
      seeds,
      maxFailures: MAX_FAILURES,
      signal,
      onProgress: ({ scenarios, failures }) =>
        progress.draw(`fuzz: ${scenarios} of ${seeds} scenarios, ${failures.length} failed`),
    }),
  );
  progress.end();
  const failures = tally.failures.slice(0, MAX_FAILURES).map(keepFailure);
  const result = fuzzResultOf(tally, seedFrom, seeds, failures);
  print(json ? [JSON.stringify(result, null, 2)] : fuzzLines(result));
  if (!result.ok) return EXIT_FAILED;
  return result.stoppedEarly ? EXIT_INTERRUPTED : 0;
}

async function plant({ seeds, seedFrom, json }: FuzzFlags): Promise<number> {
  const progress = new ProgressLine(process.stderr, () => performance.now());
  const result = await stoppable((signal) =>
    runPlanted({ seeds, seedFrom, signal, onProgress: (text) => progress.draw(`fuzz: ${text}`) }),
  );
  progress.end();
  print(json ? [JSON.stringify(result, null, 2)] : plantedLines(result));
  if (result.stoppedEarly) return EXIT_INTERRUPTED;
  return result.ok ? 0 : EXIT_FAILED;
}

/** @throws StealclockError `bad-input` when it is no scenario for the virtual engine */
function runFile(file: string, json: boolean): number {
  const flags = { settings: {}, where: String };
  const { scenario } = resolveScenario(flags, readScenarioFile(file), thisMachine(), () => DEFAULT_SEED);
  if (scenario.engine !== "virtual") {
    throw new StealclockError("bad-input", `${file}: it is for the real engine; accepted: engine: virtual`);
  }
  const report = runOne(scenario);
  const lines = report.problems.map(({ property, text }) => `broken: ${property}: ${text}`);
  print(json ? [JSON.stringify(report, null, 2)] : lines.length > 0 ? lines : ["nothing broken"]);
  return report.problems.length > 0 ? EXIT_FAILED : 0;
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
