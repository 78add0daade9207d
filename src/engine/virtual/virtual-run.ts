import type { Ns } from "../../shared/units.js";
import type { Property } from "../check/property.js";
import { protocolModule } from "../protocol-backend.js";
import type { InvariantResult, LogLine, RunResult, Sample } from "../result.js";
import type { Scenario } from "../scenario.js";
import { dumpPages } from "./dump-pages.js";
import { EventFile } from "./event-file.js";
import { FullyCheckedMachine } from "./fully-checked-machine.js";
import type { VirtualRunOptions } from "./messages.js";
import { VirtualMachine } from "./virtual-machine.js";

/** Between two looks at the world outside: some 10 ms. */
const EVENTS_AT_A_TIME = 8_192;

/** What a virtual run tells and asks while it goes on. */
export interface RunListener {
  /** May wait until earlier ones have been read. */
  sample(sample: Sample): void;
  log(line: LogLine): void;
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
  const { events } = options;
  const file = events === undefined ? null : EventFile.open(events.file, events.maxBytes, scenario);
  try {
    if (listener.stopRequested()) return null;
    const result =
      options.checks === "full"
        ? runFullyChecked(scenario, options, listener, file)
        : run(scenario, options, listener, file);
    if (file?.truncated) {
      listener.log({ level: "warn", part: "events", message: "the file has reached its limit", fields: { ...events } });
    }
    return result;
  } finally {
    file?.close();
  }
}

function run(scenario: Scenario, options: VirtualRunOptions, listener: RunListener, file: EventFile | null): RunResult {
  const machine = new VirtualMachine(scenario, {
    checks: options.checks !== false,
    checkProtocol: options.checkProtocol === true,
    protocolModule: protocolModule(options.protocolBackend, (line) => listener.log(line)),
    ...(file !== null && { observer: file }),
  });
  const stoppedEarly = !runToEnd(machine, options, listener);
  file?.end();
  return machine.finish(stoppedEarly);
}

function runFullyChecked(
  scenario: Scenario,
  options: VirtualRunOptions,
  listener: RunListener,
  file: EventFile | null,
): RunResult {
  const checked = new FullyCheckedMachine(scenario, {
    checkProtocol: options.checkProtocol === true,
    protocolModule: protocolModule(options.protocolBackend, (line) => listener.log(line)),
    ...(file !== null && { observer: file }),
  });
  const stoppedEarly = !runToEnd(checked.machine, options, listener);
  file?.end();
  const result = checked.finish(stoppedEarly);
  const invariants = [...result.invariants, ...checked.properties.map(invariantOf)];
  return { ...result, invariants, ok: invariants.every(({ status }) => status !== "broken") };
}

function invariantOf({ name, problems, exercised }: Property): InvariantResult {
  if (problems.length > 0) return { name, status: "broken", detail: problems.slice(0, 3).join("; ") };
  return { name, status: exercised > 0 ? "ok" : "not exercised", detail: `${exercised} judged` };
}

/** @returns false when told to stop before */
function runToEnd(machine: VirtualMachine, options: VirtualRunOptions, listener: RunListener): boolean {
  const { durationNs } = machine.scenario;
  const { sampleNs = Number.POSITIVE_INFINITY, untilNs = durationNs, dumpPages: folder } = options;
  const endNs = Math.min(durationNs, untilNs);
  let nextSample = sampleNs;
  let ended = false;
  while (!ended && !listener.stopRequested()) {
    const targetNs = Math.min(endNs, nextSample);
    if (!machine.run(targetNs, EVENTS_AT_A_TIME)) {
      listener.progress(machine.now - machine.startNs);
      continue;
    }
    if (targetNs === nextSample) {
      listener.sample(machine.sample());
      nextSample += sampleNs;
    }
    ended = targetNs === endNs;
  }
  if (folder !== undefined) dumpPages(machine, folder);
  return ended;
}
