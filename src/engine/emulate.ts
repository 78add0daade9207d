import { thisMachine } from "./machine.js";
import { checkOptions } from "./options-check.js";
import { runReal } from "./real/run-real.js";
import type { EmulateOptions, RunResult } from "./result.js";
import type { Scenario } from "./scenario.js";
import { checkScenario, scenarioWarnings } from "./scenario-check.js";
import { runVirtual } from "./virtual/run-virtual.js";

/**
 * Runs a scenario and returns what its guests believe beside what its host knows.
 *
 * @param scenario fully resolved
 * @throws StealclockError "bad-input" or "unsupported", before any thread starts; "part-died" when a vCPU, the
 *   hypervisor or the virtual machine died; "stopped" when the signal came before all vCPUs had booted
 */
export async function emulate(scenario: Scenario, options: EmulateOptions = {}): Promise<RunResult> {
  const machine = thisMachine();
  checkScenario(scenario, machine);
  checkOptions(scenario, options);
  const result = await run(scenario, options);
  return { ...result, warnings: [...scenarioWarnings(scenario, machine), ...result.warnings] };
}

function run(scenario: Scenario, options: EmulateOptions): Promise<RunResult> {
  switch (scenario.engine) {
    case "real":
      return runReal(scenario, options);
    case "virtual":
      return runVirtual(scenario, options);
  }
}
