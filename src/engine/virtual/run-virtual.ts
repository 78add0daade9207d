import type { EmulateOptions, RunResult } from "../result.js";
import type { Scenario } from "../scenario.js";
import { VirtualMachine } from "./virtual-machine.js";

const EVENTS_A_TURN = 200_000;

/** Runs a scenario in virtual time, in this thread. */
export async function runVirtual(scenario: Scenario, options: EmulateOptions): Promise<RunResult> {
  const { signal, onSample, sampleNs, onProgress, untilNs = scenario.durationNs, checks = true } = options;
  const machine = new VirtualMachine(scenario, { checks });
  let nextNs = Math.min(onSample === undefined ? untilNs : (sampleNs ?? untilNs), untilNs);
  while (signal?.aborted !== true) {
    const arrived = machine.run(nextNs, EVENTS_A_TURN);
    onProgress?.(machine.now - machine.startNs);
    await new Promise(setImmediate);
    if (!arrived) continue;
    if (onSample !== undefined) onSample(machine.sample());
    if (nextNs === untilNs) return machine.finish(untilNs < scenario.durationNs);
    nextNs = Math.min(nextNs + (sampleNs ?? untilNs), untilNs);
  }
  return machine.finish(true);
}
