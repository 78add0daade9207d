import { runReal } from "./real/run-real.js";
import type { EmulateOptions, RunResult } from "./result.js";
import type { Scenario } from "./scenario.js";

/**
 * Runs a scenario and returns what its guests believe beside what its host knows.
 *
 * @param scenario fully resolved
 * @throws StealclockError "part-died" when a vCPU or the hypervisor died
 */
export async function emulate(scenario: Scenario, options: EmulateOptions = {}): Promise<RunResult> {
  return runReal(scenario, options);
}
