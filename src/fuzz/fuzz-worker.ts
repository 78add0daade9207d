import { featuresOf } from "./features.js";
import { randomScenario } from "./random-scenario.js";
import { runOne } from "./run-one.js";
import { countExercise, countFeature, emptyTally, type Tally } from "./tally.js";

/** Consecutive seeds. */
export interface SeedBatch {
  readonly from: number;
  readonly count: number;
}

/** Runs the scenarios of some seeds. A task of the fuzzer's pool. */
export default function runSeeds({ from, count }: SeedBatch): Tally {
  const tally = emptyTally();
  for (let seed = from; seed < from + count; seed++) runSeed(seed, tally);
  return tally;
}

function runSeed(seed: number, tally: Tally): void {
  const scenario = randomScenario(seed);
  const { problems, exercised, events, virtualNs } = runOne(scenario);
  tally.scenarios++;
  tally.events += events;
  tally.virtualNs += virtualNs;
  for (const feature of featuresOf(scenario)) countFeature(tally, feature);
  for (const [property, cases] of Object.entries(exercised)) {
    countExercise(tally, property, { scenarios: cases > 0 ? 1 : 0, cases });
  }
  if (problems.length > 0) tally.failures.push({ seed, problems });
}
