import type { Ns } from "../../shared/units.js";
import type { RunResult, Sample } from "../result.js";
import type { Scenario } from "../scenario.js";
import { dumpPages } from "./dump-pages.js";
import { EventFile } from "./event-file.js";
import type { VirtualRunOptions } from "./messages.js";
import { VirtualMachine } from "./virtual-machine.js";

/** Between two looks at the world outside: some 10 ms. */
const EVENTS_AT_A_TIME = 8_192;

/** What a virtual run tells and asks while it goes on. */
export interface RunListener {
  sample(sample: Sample): void;
  /** Called often. */
  progress(elapsedNs: Ns): void;
  /** Whether to end here. Asked often. */
  stopRequested(): boolean;
}

/**
 * A virtual run from end to end, in the calling thread.
 *
 * @returns null when told to stop before anything ran
 * @throws StealclockError "bad-input" when a file that was asked for can't be written
 */
export function runVirtualMachine(
  scenario: Scenario,
  options: VirtualRunOptions,
  listener: RunListener,
): RunResult | null {
  const { checks = true, events, dumpPages: folder } = options;
  const file = events === undefined ? null : EventFile.open(events.file, events.maxBytes, scenario);
  try {
    if (listener.stopRequested()) return null;
    const machine = new VirtualMachine(scenario, { checks, ...(file !== null && { observer: file }) });
    const stoppedEarly = !runToEnd(machine, options, listener);
    if (folder !== undefined) dumpPages(machine, folder);
    const result = machine.finish(stoppedEarly);
    return { ...result, warnings: [...result.warnings, ...(file?.warnings ?? [])] };
  } finally {
    file?.close();
  }
}

/** @returns false when told to stop before */
function runToEnd(machine: VirtualMachine, options: VirtualRunOptions, listener: RunListener): boolean {
  const { durationNs } = machine.scenario;
  const { sampleNs = Number.POSITIVE_INFINITY, untilNs = durationNs } = options;
  const endNs = Math.min(durationNs, untilNs);
  let nextSample = sampleNs;
  while (!listener.stopRequested()) {
    const targetNs = Math.min(endNs, nextSample);
    if (!machine.run(targetNs, EVENTS_AT_A_TIME)) {
      listener.progress(machine.now - machine.startNs);
      continue;
    }
    if (targetNs === nextSample) {
      listener.sample(machine.sample());
      nextSample += sampleNs;
    }
    if (targetNs === endNs) return true;
  }
  return false;
}
