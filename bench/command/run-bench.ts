import { CommanderError } from "commander";
import { StealclockError } from "../../src/shared/errors.js";
import type { BenchDocument, BenchResult } from "../harness/document.js";
import type { Progress } from "../harness/run-group.js";
import { checkSavePath, readBenchFile, writeBenchFile } from "../report/bench-file.js";
import { benchLines } from "../report/bench-table.js";
import { type Comparison, compareRuns } from "../report/compare.js";
import { compareLines } from "../report/compare-table.js";
import { type BenchFlags, readBenchFlags } from "./flags.js";
import { measure } from "./measure.js";
import { matchesFilter } from "./select-plans.js";
import type { Subject } from "./subject.js";

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
 * @param open what is measured, other than by default: a test hands in figures that it knows
 * @returns the exit code: 0, 1 when a ratio got worse than is allowed, 2 for bad input
 */
export async function runBench(
  argv: readonly string[],
  output: BenchOutput,
  open: (() => Subject) | null = null,
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

async function runFlags(flags: BenchFlags, output: BenchOutput, open: (() => Subject) | null): Promise<number> {
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
