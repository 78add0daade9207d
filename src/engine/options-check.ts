import type { EmulateOptions } from "./result.js";
import type { Scenario } from "./scenario.js";
import { integerProblem, isOutside, LIMITS, showNs } from "./scenario-limits.js";
import { ProblemList, type ScenarioProblem, throwProblems } from "./scenario-problem.js";

/** What only a run in virtual time can do. */
const VIRTUAL_ONLY = ["untilNs", "dumpPages", "events", "checks"] as const satisfies readonly (keyof EmulateOptions)[];

/**
 * Refuses options that do not go with their scenario.
 *
 * @throws StealclockError `bad-input`: what is wrong, where, and what is accepted
 */
export function checkOptions(scenario: Scenario, options: EmulateOptions): void {
  throwProblems(findOptionProblems(scenario, options), (problem) => problem.path);
}

/** All that is wrong with the options of a run; each path is an option's name. */
export function findOptionProblems(scenario: Scenario, options: EmulateOptions): ScenarioProblem[] {
  const list = new ProblemList();
  if (options.checkProtocol === true && options.checks === false) {
    list.refuse("checkProtocol", "contradicts a run without checks; accepted: one of them");
  }
  switch (scenario.engine) {
    case "real":
      for (const name of VIRTUAL_ONLY) {
        if (options[name] === undefined) continue;
        list.refuse(name, "the real engine does not have this; accepted: leave it out, or the virtual engine");
      }
      break;
    case "virtual":
      checkVirtualOptions(scenario, options, list);
      break;
  }
  return list.problems;
}

function checkVirtualOptions({ durationNs }: Scenario, { untilNs, events }: EmulateOptions, list: ProblemList): void {
  if (untilNs !== undefined && isOutside(untilNs, { min: 0, max: durationNs })) {
    list.refuse(
      "untilNs",
      `${showNs(untilNs)} is not within the run; accepted: up to the duration, ${showNs(durationNs)}`,
    );
  }
  if (events !== undefined) {
    list.refuse("events", integerProblem("the limit of events in bytes", events.maxBytes, LIMITS.eventBytes));
  }
}
