import { loadProtocolModule } from "../backend/protocol-module.js";
import type { Property } from "../engine/check/property.js";
import type { RunResult } from "../engine/result.js";
import type { Scenario } from "../engine/scenario.js";
import { FullyCheckedMachine } from "../engine/virtual/fully-checked-machine.js";
import { VirtualMachine } from "../engine/virtual/virtual-machine.js";
import type { Ns } from "../shared/units.js";

/** A machine that has come this far and is not at its end never will be. */
const MAX_EVENTS = 3_000_000;
/** One scenario in so many is run twice. */
const REPEAT_INTERVAL = 8;
/** Events at a time, of the second run: an odd number, so that it stops anywhere. */
const EVENTS_A_STEP = 997;

/** Of emulate's invariants the one that takes more than one thread. */
const NEEDS_THREADS = "no torn value accepted";

export const ENDS = "every run comes to its end";
const REPEATS = "a run repeats itself";

/** Every other run is by the WebAssembly backend; of what is run twice the second is by Atomics, and must not differ. */
const MODULE = loadProtocolModule();

/** A property that a run broke, and how. */
export interface Problem {
  readonly property: string;
  readonly text: string;
}

/** What one run showed. */
export interface RunReport {
  readonly problems: readonly Problem[];
  /** How many cases each property had to judge. */
  readonly exercised: Readonly<Record<string, number>>;
  readonly events: number;
  readonly virtualNs: Ns;
}

/** Runs a scenario in virtual time, in this thread, with every checker on. What is thrown is a problem like any other. */
export function runOne(scenario: Scenario): RunReport {
  const problems: Problem[] = [];
  const exercised: Record<string, number> = { [ENDS]: 1, [REPEATS]: 0 };
  let machine: VirtualMachine | null = null;
  try {
    const checked = new FullyCheckedMachine(scenario, { protocolModule: scenario.seed % 2 === 0 ? MODULE : null });
    machine = checked.machine;
    if (machine.run(scenario.durationNs, MAX_EVENTS)) {
      const result = checked.finish();
      collect(result, checked.properties, problems, exercised);
      if (scenario.seed % REPEAT_INTERVAL === 0) repeat(scenario, result, problems, exercised);
    } else {
      problems.push({ property: ENDS, text: `${MAX_EVENTS} events were not enough` });
    }
  } catch (error) {
    problems.push({ property: ENDS, text: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
  const virtualNs = machine === null ? 0 : machine.now - machine.startNs;
  return { problems, exercised, events: machine?.eventCount ?? 0, virtualNs };
}

function repeat(scenario: Scenario, result: RunResult, problems: Problem[], exercised: Record<string, number>): void {
  exercised[REPEATS]++;
  if (JSON.stringify(result) === JSON.stringify(runInSteps(scenario))) return;
  problems.push({
    property: REPEATS,
    text: "the second run, in steps, by Atomics and with samples taken, ended otherwise",
  });
}

/** Its clocks are read as often as those of a machine that is fully checked: what is read is in the result. */
function runInSteps(scenario: Scenario): RunResult {
  const machine = new VirtualMachine(scenario, { watchInterval: 1 });
  for (let events = 0; events < MAX_EVENTS; events += EVENTS_A_STEP) {
    if (machine.run(scenario.durationNs, EVENTS_A_STEP)) break;
    machine.sample();
  }
  return machine.finish();
}

function collect(
  result: RunResult,
  properties: readonly Property[],
  problems: Problem[],
  exercised: Record<string, number>,
): void {
  for (const property of properties) {
    exercised[property.name] = property.exercised;
    for (const text of property.problems) problems.push({ property: property.name, text });
  }
  for (const { name, status, detail } of result.invariants) {
    if (name === NEEDS_THREADS) continue;
    exercised[name] = status === "not exercised" ? 0 : 1;
    if (status === "broken") problems.push({ property: name, text: detail });
  }
}
