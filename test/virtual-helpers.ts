import type { RunResult } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";

/** The same scenario in virtual time. */
export function virtually(scenario: Scenario): Scenario {
  return { ...scenario, engine: "virtual" };
}

/** Runs a scenario from end to end in virtual time, in this thread. */
export function runVirtually(scenario: Scenario): RunResult {
  const machine = new VirtualMachine(virtually(scenario));
  machine.run(scenario.durationNs);
  return machine.finish();
}

/** The checker of a machine that has one. */
export function checkerOf({ checker }: VirtualMachine) {
  if (checker === null) throw new TypeError("this machine was built without checks");
  return checker;
}
