import { StealclockError } from "../../shared/errors.js";
import { showAbaLimit } from "./aba-limit.js";
import { FaultScript } from "./fault-script.js";
import { resultOf } from "./stress-result.js";
import type { StressOptions, StressRun } from "./stress-run.js";
import { ThreadTeam } from "./thread-team.js";

/**
 * Hammers one protocol: a writer and its readers at full speed on shared pages, every accepted read judged.
 *
 * @throws StealclockError "part-died" when a thread died, "bad-input" when the user's protocol is at fault, "stopped"
 *   when the signal came before anything ran
 */
export async function stress(options: StressOptions): Promise<StressRun> {
  if (options.fault === "aba") return showAbaLimit(options.protocol);
  const team = new ThreadTeam(options);
  try {
    return await runTeam(team, options);
  } finally {
    await team.crew.end();
  }
}

async function runTeam(team: ThreadTeam, options: StressOptions): Promise<StressRun> {
  const { signal, durationNs, onProgress, fault } = options;
  const isStopped = () => signal?.aborted === true;
  await team.crew.until(() => isStopped() || team.isReady);
  if (isStopped()) throw new StealclockError("stopped", "stopped before all threads were ready: nothing ran");
  const { repairs } = team.writer;
  const startNs = process.hrtime.bigint();
  const elapsedNs = () => Number(process.hrtime.bigint() - startNs);
  const tell = () => onProgress?.(team.progress(elapsedNs()));
  team.crew.openGate();
  const script = fault === undefined ? null : new FaultScript(fault, options, team, elapsedNs);
  if (script !== null) await script.play(tell);
  else {
    await team.crew.until(() => {
      tell();
      return isStopped() || elapsedNs() >= durationNs;
    });
  }
  const endNs = elapsedNs();
  const reports = await team.crew.finish();
  return resultOf(options, {
    reports,
    updates: team.updates,
    steals: team.steals,
    durationNs: endNs,
    stoppedEarly: isStopped() && endNs < durationNs,
    repairs,
    fault: script?.report(reports) ?? null,
    faultMet: script === null || FaultScript.wasMet(reports),
  });
}
