import { FullChecks } from "../engine/check/full-checks.js";
import type { RunResult } from "../engine/result.js";
import type { Scenario } from "../engine/scenario.js";
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

/** A clock is read and watched whenever its guest is told the time. */
const EVERY_READING = { watchInterval: 1 };

/** Runs a scenario in virtual time, in this thread, with every checker on. What is thrown is a problem like any other. */
export function runOne(scenario: Scenario): RunReport {
  const problems: Problem[] = [];
  const exercised: Record<string, number> = { [ENDS]: 1, [REPEATS]: 0 };
  let machine: VirtualMachine | null = null;
  try {
    const checks: FullChecks[] = [];
    machine = new VirtualMachine(scenario, {
      ...EVERY_READING,
      observerOf: (ram) => {
        checks.push(new FullChecks(scenario, ram));
        return checks[0];
      },
    });
    const result = runChecked(machine, checks[0]);
    if (result === null) problems.push({ property: ENDS, text: `${MAX_EVENTS} events were not enough` });
    else collect(result, checks[0], problems, exercised);
    if (result !== null && scenario.seed % REPEAT_INTERVAL === 0) {
      exercised[REPEATS]++;
      if (JSON.stringify(result) !== JSON.stringify(runInSteps(scenario))) {
        problems.push({ property: REPEATS, text: "the second run, in steps and with samples taken, ended otherwise" });
      }
    }
  } catch (error) {
    problems.push({ property: ENDS, text: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
  const virtualNs = machine === null ? 0 : machine.now - machine.startNs;
  return { problems, exercised, events: machine?.eventCount ?? 0, virtualNs };
}

/** @returns null when it does not end */
function runChecked(machine: VirtualMachine, checks: FullChecks): RunResult | null {
  machine.onInstant = (now) => checks.instantOver(now);
  if (!machine.run(machine.scenario.durationNs, MAX_EVENTS)) return null;
  machine.onInstant = null;
  checks.stopping(machine.now);
  const result = machine.finish();
  checks.finished(result);
  return result;
}

function runInSteps(scenario: Scenario): RunResult {
  const machine = new VirtualMachine(scenario, EVERY_READING);
  for (let events = 0; events < MAX_EVENTS; events += EVENTS_A_STEP) {
    if (machine.run(scenario.durationNs, EVENTS_A_STEP)) break;
    machine.sample();
  }
  return machine.finish();
}

function collect(
  result: RunResult,
  { properties }: FullChecks,
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
