import { Ansis } from "ansis";
import type { EmulateOptions, LogLine, RunResult, Sample } from "../engine/result.js";
import type { Scenario } from "../engine/scenario.js";
import { commandLine } from "./command-line.js";
import type { CliContext } from "./context.js";
import type { EmulateFlags, ViewFlags } from "./flags.js";
import { jsonPieces } from "./json-document.js";
import { createLog } from "./log.js";
import type { Output } from "./output.js";
import { prepareOutputPaths } from "./output-paths.js";
import { brokenLines, reportLines } from "./report.js";
import { checkRunFlags } from "./run-flags.js";
import { readScenarioFile } from "./scenario-file.js";
import { printScenario } from "./scenario-print.js";
import { resolveScenario } from "./scenario-resolve.js";
import { listenForStop } from "./signals.js";
import { openViews, type Views } from "./views.js";

const LEFT_BY_SIGNAL = 130;

/** The command's two streams, and what ends the run when nobody reads them any more. */
export interface Outputs {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stop: AbortController;
}

/**
 * Resolves the scenario, runs it and prints what it found.
 *
 * @returns the exit code: 0, or 1 when an invariant broke
 * @throws StealclockError when the input is bad or a part died
 */
export async function runEmulate(flags: EmulateFlags, context: CliContext, outputs: Outputs): Promise<number> {
  const file = flags.scenario === null ? null : readScenarioFile(flags.scenario);
  const resolved = resolveScenario(flags.settings, file, context.machine(), context.drawSeed);
  const { scenario, warnings } = resolved;
  const { stdout, stderr } = outputs;
  const { view } = flags;
  checkRunFlags(flags.run, scenario);
  if (!view.quiet) stderr.writeLines(warnings.map((warning) => `stealclock: warning: ${warning}`));
  if (view.printConfig) {
    stdout.write(printScenario(scenario));
    return 0;
  }
  prepareOutputPaths(flags.run);
  if (resolved.seedDrawn && !view.quiet) stderr.writeLines([seedLine(scenario, flags.argv)]);
  const samples: Sample[] = [];
  const found = await runWithViews(scenario, flags, context, outputs, samples);
  const result = { ...found, warnings: [...new Set([...warnings, ...found.warnings])] };
  printResult(result, samples, view, context, outputs);
  return result.ok ? 0 : 1;
}

async function runWithViews(
  scenario: Scenario,
  flags: EmulateFlags,
  context: CliContext,
  { stdout, stderr, stop }: Outputs,
  samples: Sample[],
): Promise<RunResult> {
  const { view } = flags;
  const log = createLog(view.logLevel, context.logDestination());
  let views: Views | null = null;
  const aside = (write: () => void) => (views === null ? write() : views.aside(write));
  const stopListening = listenForStop({
    source: context.signals,
    nowMs: context.nowMs,
    onStop: () => {
      stop.abort();
      if (!view.quiet) aside(() => stderr.write("stealclock: stopping; once more leaves at once\n"));
    },
    onLeave: () => {
      views?.end();
      context.leave(LEFT_BY_SIGNAL);
    },
  });
  try {
    views = await openViews(scenario, flags, context, { stdout, stderr, samples });
    const options: EmulateOptions = {
      ...flags.run,
      ...views.options,
      signal: stop.signal,
      onLog: (line: LogLine) => aside(() => log(line)),
    };
    return await context.emulate(scenario, options);
  } finally {
    views?.end();
    stopListening();
  }
}

function seedLine({ seed }: Scenario, argv: readonly string[]): string {
  return `stealclock: seed ${seed}; to repeat this run: ${commandLine(["stealclock", ...argv, "--seed", `${seed}`])}`;
}

function printResult(
  result: RunResult,
  samples: readonly Sample[],
  view: ViewFlags,
  { env }: CliContext,
  { stdout, stderr }: Outputs,
): void {
  if (view.json) {
    const document = view.sampleNs === null ? result : { ...result, samples };
    for (const piece of jsonPieces(document)) stdout.write(piece);
  }
  // Whoever closed stdout is not waiting for a table.
  if (view.quiet || stdout.isEnded) {
    stderr.writeLines(brokenLines(result));
  } else if (!view.json) {
    // With --sample, stdout belongs to the samples.
    const output = view.sampleNs === null ? stdout : stderr;
    output.writeLines(reportLines(result, { width: output.width, colours: new Ansis(colourLevel(output, env)) }));
  }
}

/** 16 colours on a terminal; none in a pipe or when NO_COLOR asks for none. */
function colourLevel(output: Output, env: CliContext["env"]): 0 | 1 {
  const wanted = output.isTerminal && env.TERM !== "dumb" && (env.NO_COLOR ?? "") === "";
  return wanted ? 1 : 0;
}
