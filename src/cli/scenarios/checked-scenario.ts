import type { Machine } from "../../engine/machine.js";
import type { EngineKind, Scenario } from "../../engine/scenario.js";
import type { Expectations } from "../expect/expect-schema.js";
import { type PlacedProblem, refusePlaces } from "../placed-problem.js";
import { readScenarioFile, type SettingsSource } from "../scenario-file.js";
import { resolveScenario } from "../scenario-resolve.js";
import { nameVcpus } from "../values.js";

/** A scenario file, read for a check. */
export interface CheckedScenario {
  /** As it was asked for: a shipped one's name, or a path. */
  readonly name: string;
  readonly scenario: Scenario;
  readonly engines: readonly EngineKind[];
  readonly description: string;
  /** null when the file expects nothing. */
  readonly expect: Expectations | null;
}

const ALL_ENGINES: readonly EngineKind[] = ["virtual", "real"];
/** A check repeats itself: where a file gives no seed, nothing is drawn. */
const SEED = 0;

/**
 * Reads a scenario file and resolves it for an engine.
 *
 * @param engine null for the first that the file is meant for
 * @throws StealclockError `bad-input`: what is wrong in which line; also a file that is not meant for that engine
 */
export function readChecked(name: string, engine: EngineKind | null, machine: Machine): CheckedScenario {
  const file = readScenarioFile(name);
  const { settings } = file;
  const engines = settings.engines ?? (settings.engine === undefined ? ALL_ENGINES : [settings.engine]);
  const chosen = engine ?? engines[0];
  if (!engines.includes(chosen)) {
    const message = `this is not meant for the ${chosen} engine; accepted: --engine ${engines.join(", --engine ")}`;
    refusePlaces([{ where: file.where([settings.engines === undefined ? "engine" : "engines"]), message }]);
  }
  const flags: SettingsSource = { settings: { engine: chosen }, where: () => "--engine" };
  const { scenario } = resolveScenario(flags, file, machine, () => SEED);
  const expect = settings.expect ?? null;
  refusePlaces(strangers(expect, scenario.vcpus.length, file));
  return { name, scenario, engines, description: settings.description ?? "", expect };
}

/** vCPUs that something is expected of and that are not there: nobody would ever look at it. */
function strangers(expect: Expectations | null, vcpuCount: number, file: SettingsSource): PlacedProblem[] {
  return (expect?.vcpus ?? []).flatMap(({ key, vcpus }) => {
    const absent = vcpus.filter((id) => id >= vcpuCount);
    if (absent.length === 0) return [];
    const accepted = vcpuCount === 1 ? "there is one vCPU, 0" : `there are vCPUs 0 to ${vcpuCount - 1}`;
    const message = `names ${nameVcpus(absent)}, not there; accepted: ${accepted}`;
    return [{ where: file.where(["expect", "vcpus", key]), message }];
  });
}
