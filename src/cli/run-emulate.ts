import { Ansis } from "ansis";
import type { EmulateOptions, LogLine, RunResult, Sample } from "../engine/result.js";
import type { Scenario } from "../engine/scenario.js";
import { count } from "../shared/text.js";
import type { CliContext } from "./context.js";
import type { EmulateFlags, ViewFlags } from "./flags.js";

import { LIVE_INTERVAL_NS, type LiveView, openLiveView } from "./live.js";
import { createLog } from "./log.js";
import type { Output } from "./output.js";
import { brokenLines, reportLines } from "./report.js";
import { readScenarioFile } from "./scenario-file.js";
import { printScenario } from "./scenario-print.js";
import { resolveScenario } from "./scenario-resolve.js";
import { listenForStop } from "./signals.js";

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
  const { scenario, warnings } = resolveScenario(flags.settings, file, context.machine());
  const { stdout, stderr } = outputs;
  const { view } = flags;
  if (!view.quiet) stderr.writeLines(warnings.map((warning) => `stealclock: warning: ${warning}`));
  if (view.printConfig) {
    stdout.write(printScenario(scenario));
    return 0;
  }
  const samples: Sample[] = [];
  const found = await runWithViews(scenario, view, context, outputs, samples);
  const result = { ...found, warnings: [...new Set([...warnings, ...found.warnings])] };
  printResult(result, samples, view, context, outputs);
  return result.ok ? 0 : 1;
}

async function runWithViews(
  scenario: Scenario,
  view: ViewFlags,
  context: CliContext,
  { stdout, stderr, stop }: Outputs,
  samples: Sample[],
): Promise<RunResult> {
  const log = createLog(view.logLevel, context.logDestination());
  let live: LiveView | null = null;
  const aside = (write: () => void) => (live === null ? write() : live.aside(write));
  const stopListening = listenForStop({
    source: context.signals,
    nowMs: context.nowMs,
    onStop: () => {
      stop.abort();
      if (!view.quiet) aside(() => stderr.write("stealclock: stopping; once more leaves at once\n"));
    },
    onLeave: () => {
      live?.end();
      context.leave(LEFT_BY_SIGNAL);
    },
  });
  try {
    if (wantsLiveView(view, context)) live = await openLiveView(stdout.stream, scenario);
    else if (!view.json && !view.quiet) stderr.write(startLine(scenario));
    const onSample = sampleSink(view, live, stdout, samples);
    const options: EmulateOptions = {
      signal: stop.signal,
      onLog: (line: LogLine) => aside(() => log(line)),
      ...(onSample !== null && { onSample, sampleNs: view.sampleNs ?? LIVE_INTERVAL_NS }),
    };
    return await context.emulate(scenario, options);
  } finally {
    live?.end();
    stopListening();
  }
}

function wantsLiveView(view: ViewFlags, { stdout, env }: CliContext): boolean {
  const terminal = stdout.isTTY === true && env.TERM !== "dumb";
  return terminal && view.live && !view.json && !view.quiet && view.sampleNs === null;
}

/** Where samples go: to the live view, to stdout as they come, or into the one document at the end. */
function sampleSink(
  view: ViewFlags,
  live: LiveView | null,
  stdout: Output,
  samples: Sample[],
): ((sample: Sample) => void) | null {
  if (live !== null) return (sample) => live.draw(sample);
  if (view.sampleNs === null) return null;
  if (view.json) return (sample) => samples.push(sample);
  return (sample) => stdout.write(`${JSON.stringify(sample)}\n`);
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
    stdout.write(`${JSON.stringify(document, null, 2)}\n`);
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

function startLine(scenario: Scenario): string {
  const where = scenario.host === "fair" ? `on ${count(scenario.pcpus, "pCPU")}` : "on the linux host";
  return `stealclock: ${count(scenario.vcpus.length, "vCPU")} ${where} for ${scenario.durationNs / 1e9} s\n`;
}
