import type { Scenario } from "../engine/scenario.js";
import { type Problem, type RunReport, runOne } from "./run-one.js";
import { simplerScenarios } from "./simpler-scenarios.js";

type Run = (scenario: Scenario) => Pick<RunReport, "problems">;

export interface Shrunk {
  readonly scenario: Scenario;
  /** How it fails now. */
  readonly problem: Problem;
  readonly runs: number;
}

/**
 * A simpler scenario that breaks the same property: takes the first simpler one that still does, and starts over from there, until
 * none does or the runs are used up.
 *
 * @param problem how it fails
 */
export function shrink(scenario: Scenario, problem: Problem, maxRuns: number, run: Run = runOne): Shrunk {
  let smallest: Shrunk = { scenario, problem, runs: 0 };
  while (smallest.runs < maxRuns) {
    const simpler = stepDown(smallest, maxRuns, run);
    smallest = { ...smallest, ...simpler };
    if (!("scenario" in simpler)) break;
  }
  return smallest;
}

/** @returns the first simpler one that fails alike, or only how many runs it took to find that there is none */
function stepDown({ scenario, problem, runs }: Shrunk, maxRuns: number, run: Run): Shrunk | Pick<Shrunk, "runs"> {
  let runsSoFar = runs;
  for (const candidate of simplerScenarios(scenario)) {
    if (runsSoFar >= maxRuns) break;
    runsSoFar++;
    const same = run(candidate).problems.find(({ property }) => property === problem.property);
    if (same !== undefined) return { scenario: candidate, problem: same, runs: runsSoFar };
  }
  return { runs: runsSoFar };
}
