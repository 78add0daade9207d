import type { Command } from "commander";
import { compareLines, type NamedRun } from "./compare-print.js";
import { type Comparison, compareRuns, type Pair } from "./compare-runs.js";
import { compareSentences } from "./compare-sentences.js";
import { readRunDocument } from "./run-document.js";
import type { Outputs } from "./run-emulate.js";

/**
 * Adds `stealclock compare`: sets two run documents side by side.
 *
 * @param finish takes the exit code: 1 when a real run differs from the virtual one of its scenario, else 0
 */
export function addCompareCommand(program: Command, { stdout }: Outputs, finish: (exitCode: number) => void): void {
  const command = program
    .command("compare")
    .summary("set two runs side by side and say what differs")
    .description(
      "Sets two run documents side by side, vCPU by vCPU, and says in which settings and figures they differ. A real run " +
        "beside a virtual one of the same scenario gets a verdict: whether they agree within noise and ticks.",
    )
    .argument("<a>", "a run document, as emulate --json prints it")
    .argument("<b>", "another one")
    .option("--json", "one JSON document on stdout, schema stealclock.compare/1")
    .helpOption("-h, --help", "show this")
    .showHelpAfterError("stealclock: accepted: see stealclock compare --help")
    .addHelpText("after", EXAMPLES);
  command.action((fileA: string, fileB: string) => {
    const a: NamedRun = { name: "A", file: fileA, run: readRunDocument(fileA) };
    const b: NamedRun = { name: "B", file: fileB, run: readRunDocument(fileB) };
    const comparison = compareRuns(a.run, b.run);
    const json = command.opts<{ json?: boolean }>().json === true;
    if (json) stdout.write(`${JSON.stringify(documentOf(a, b, comparison), null, 2)}\n`);
    else stdout.writeLines(compareLines([a, b], comparison, stdout.width));
    finish(comparison.agreement?.verdict === "differs" ? 1 : 0);
  });
}

const EXAMPLES = `
Examples:
  stealclock emulate --scenario pinned-smp --json > a.json
  stealclock emulate --scenario pinned-smp --update entry --json > b.json
  stealclock compare a.json b.json

Exit codes: 0 compared, 1 a real run differs from the virtual one of its scenario, 2 bad input.`;

/** The document of `--json`. Figures are by vCPU and name, each with A, B and B - A. */
function documentOf(a: NamedRun, b: NamedRun, comparison: Comparison): object {
  const { identical, settings, ids, shares, counts, agreement } = comparison;
  return {
    schema: "stealclock.compare/1",
    a: { file: a.file, vcpus: a.run.vcpus.length },
    b: { file: b.file, vcpus: b.run.vcpus.length },
    identical,
    settings: settings.map(({ path, a: inA, b: inB }) => ({ path, a: inA, b: inB })),
    vcpus: ids.map((id, index) => ({
      id,
      percentOfElapsed: Object.fromEntries(shares.map(({ key, pairs }) => [key, entryOf(pairs[index], 100)])),
      counts: Object.fromEntries(counts.map(({ key, pairs }) => [key, entryOf(pairs[index], 1)])),
    })),
    sentences: compareSentences(a.run, b.run, comparison),
    agreement,
  };
}

function entryOf({ a, b }: Pair, scale: number): { a: number; b: number; difference: number } {
  return { a: a * scale, b: b * scale, difference: (b - a) * scale };
}
