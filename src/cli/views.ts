import type { EmulateOptions, Sample } from "../engine/result.js";
import type { Scenario } from "../engine/scenario.js";
import { count } from "../shared/text.js";
import type { CliContext } from "./context.js";
import type { EmulateFlags, ViewFlags } from "./flags.js";
import { LIVE_INTERVAL_NS, openLiveView } from "./live.js";
import type { Output } from "./output.js";
import { openProgressLine } from "./progress.js";
import type { TerminalView } from "./terminal-view.js";

/** What is shown of a run while it goes on. */
export interface Views extends TerminalView {
  /** How the run feeds what is shown. */
  readonly options: Pick<EmulateOptions, "onSample" | "sampleNs" | "onProgress">;
}

/** Where views go, and the samples that wait for the one document at the end. */
interface Screen {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly samples: Sample[];
}

export async function openViews(
  scenario: Scenario,
  { view, run }: Pick<EmulateFlags, "view" | "run">,
  context: CliContext,
  screen: Screen,
): Promise<Views> {
  if (wantsLiveView(scenario, view, context)) {
    const live = await openLiveView(screen.stdout.stream, scenario);
    return { ...live, options: { onSample: (sample) => live.draw(sample), sampleNs: LIVE_INTERVAL_NS } };
  }
  const durationNs = run.untilNs ?? scenario.durationNs;
  if (!view.json && !view.quiet) screen.stderr.write(startLine(scenario, durationNs));
  const options = sampleOptions(view, screen);
  if (!wantsProgress(scenario, view, context)) return { aside: (write) => write(), end: () => undefined, options };
  const progress = openProgressLine(screen.stderr.stream, durationNs);
  return { ...progress, options: { ...options, onProgress: (elapsedNs) => progress.draw(elapsedNs) } };
}

/** Virtual time has no live view: it passes in leaps. */
function wantsLiveView({ engine }: Scenario, view: ViewFlags, { stdout, env }: CliContext): boolean {
  const terminal = stdout.isTTY === true && env.TERM !== "dumb";
  return engine === "real" && terminal && view.live && !view.json && !view.quiet && view.sampleNs === null;
}

function wantsProgress({ engine }: Scenario, view: ViewFlags, { stdout, stderr, env }: CliContext): boolean {
  const terminal = stderr.isTTY === true && env.TERM !== "dumb";
  // Samples would run into it.
  const inTheWay = view.sampleNs !== null && stdout.isTTY === true;
  return engine === "virtual" && terminal && view.live && !view.json && !view.quiet && !inTheWay;
}

/** Samples go to stdout as they come, or into the one document at the end. */
function sampleOptions({ json, sampleNs }: ViewFlags, { stdout, samples }: Screen): Views["options"] {
  if (sampleNs === null) return {};
  const onSample = (sample: Sample) => (json ? samples.push(sample) : stdout.writePaced(`${JSON.stringify(sample)}\n`));
  return { onSample, sampleNs };
}

function startLine(scenario: Scenario, durationNs: number): string {
  const where = scenario.host === "fair" ? `on ${count(scenario.pcpus, "pCPU")}` : "on the linux host";
  const time = scenario.engine === "virtual" ? " of virtual time" : "";
  return `stealclock: ${count(scenario.vcpus.length, "vCPU")} ${where} for ${durationNs / 1e9} s${time}\n`;
}
