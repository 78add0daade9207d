import { CommanderError } from "commander";
import { StealclockError } from "../../src/shared/errors.js";
import { BENCH_SCHEMA, type BenchDocument, type BenchResult } from "../harness/document.js";
import { describeMachine } from "../harness/machine.js";
import { NOISE_LIMIT, NoiseMeter } from "../harness/noise.js";
import { type Progress, runGroup } from "../harness/run-group.js";
import { checkSavePath, readBenchFile, writeBenchFile } from "../report/bench-file.js";
import { benchLines } from "../report/bench-table.js";
import { type Comparison, compareRuns } from "../report/compare.js";
import { compareLines } from "../report/compare-table.js";
import { type BenchFlags, readBenchFlags } from "./flags.js";
import { matchesFilter, selectPlans } from "./select-plans.js";
import { openSubject, type Subject } from "./subject.js";

/** Where a run writes. */
export interface BenchOutput {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Whoever watches stderr sees a line of progress. */
  readonly isTerminal: boolean;
  readonly width: number;
}

/**
 * The whole command.
 *
 * @param open what is measured: a test hands in figures that it knows
 * @returns the exit code: 0, 1 when a ratio got worse than is allowed, 2 for bad input
 */
export async function runBench(
  argv: readonly string[],
  output: BenchOutput,
  open: () => Subject = openSubject,
): Promise<number> {
  try {
    return await runFlags(readBenchFlags(argv, output.stderr), output, open);
  } catch (error) {
    // commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof StealclockError)) throw error;
    output.stderr(`bench: ${error.message}\n`);
    return error.code === "part-died" ? 1 : 2;
  }
}

async function runFlags(flags: BenchFlags, output: BenchOutput, open: () => Subject): Promise<number> {
  const { save, compare, maxRegression, json } = flags;
  const before = compare === null ? null : readBenchFile(compare);
  if (save !== null) checkSavePath(save);
  const document = await measure(flags, open, progressOf(output));
  if (save !== null) writeBenchFile(save, document);
  const isWanted = ({ group, name }: BenchResult): boolean => matchesFilter(group, name, flags.filter);
  const comparison = before === null ? null : compareRuns(before, document, maxRegression, isWanted);
  if (json) output.stdout(`${JSON.stringify({ ...document, ...comparison }, null, 2)}\n`);
  else output.stdout(`${textLines(document, comparison, maxRegression, output.width).join("\n")}\n`);
  if (comparison?.changes.length === 0) {
    throw new StealclockError(
      "bad-input",
      `--compare ${compare}: no ratio of this run is in it; accepted: one that has the same rows`,
    );
  }
  return comparison?.changes.some(({ verdict }) => verdict === "worse") ? 1 : 0;
}

function textLines(
  document: BenchDocument,
  comparison: Comparison | null,
  maxRegression: number,
  width: number,
): string[] {
  const lines = benchLines(document, width);
  return comparison === null ? lines : [...lines, ...compareLines(comparison, maxRegression, width)];
}

function progressOf({ stderr, isTerminal }: BenchOutput): Progress {
  return isTerminal ? (text) => stderr(`\r\x1b[K${text}`) : () => {};
}

async function measure(
  { effort, filter }: BenchFlags,
  open: () => Subject,
  progress: Progress,
): Promise<BenchDocument> {
  const subject = open();
  try {
    const selected = selectPlans(subject.groups, effort, filter);
    const noise = new NoiseMeter();
    noise.begin();
    const results: BenchResult[] = [];
    for (const { group, plans } of selected) results.push(...(await runGroup(group, plans, effort, progress)));
    noise.end();
    progress("");
    const { shares } = noise;
    return {
      schema: BENCH_SCHEMA,
      machine: describeMachine(subject.compiler),
      noise: shares === null ? null : { ...shares, limit: NOISE_LIMIT },
      results,
    };
  } finally {
    subject.close();
  }
}
