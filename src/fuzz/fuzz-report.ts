import { count } from "../shared/text.js";
import { NS_PER_SECOND } from "../shared/units.js";
import type { KeptFailure } from "./failure-file.js";
import { neverExercised, type Tally } from "./tally.js";

/** From so many scenarios on, a property that nothing exercised is a failure of the search. */
const MUST_EXERCISE_ALL = 1_000;

/** What a search found, as it is printed; schema `stealclock.fuzz/1`. */
export interface FuzzResult {
  readonly schema: "stealclock.fuzz/1";
  readonly seedFrom: number;
  readonly seeds: number;
  readonly ok: boolean;
  readonly stoppedEarly: boolean;
  readonly scenarios: number;
  readonly virtualNs: number;
  readonly events: number;
  readonly features: Tally["features"];
  readonly properties: Tally["properties"];
  /** Properties of which the search showed nothing, in one that is large enough to. */
  readonly unproved: readonly string[];
  readonly failedSeeds: readonly number[];
  readonly failures: readonly KeptFailure[];
}

export function fuzzResultOf(
  tally: Tally,
  seedFrom: number,
  seeds: number,
  failures: readonly KeptFailure[],
): FuzzResult {
  const unproved = tally.scenarios >= MUST_EXERCISE_ALL ? neverExercised(tally) : [];
  return {
    schema: "stealclock.fuzz/1",
    seedFrom,
    seeds,
    ok: tally.failures.length === 0 && unproved.length === 0,
    stoppedEarly: tally.scenarios < seeds,
    scenarios: tally.scenarios,
    virtualNs: tally.virtualNs,
    events: tally.events,
    features: tally.features,
    properties: tally.properties,
    unproved,
    failedSeeds: tally.failures.map(({ seed }) => seed),
    failures,
  };
}

export function fuzzLines(result: FuzzResult): string[] {
  const { scenarios, seeds, virtualNs, events, failedSeeds, unproved } = result;
  const seconds = (virtualNs / NS_PER_SECOND).toFixed(1);
  const ran = scenarios < seeds ? `${scenarios} of ${count(seeds, "scenario")}` : count(scenarios, "scenario");
  const found = failedSeeds.length === 0 ? "nothing broken" : `${count(failedSeeds.length, "seed")} failed`;
  return [
    "properties                                              scenarios       cases",
    ...Object.entries(result.properties).map(([property, exercise]) =>
      row(property, exercise.scenarios, exercise.cases),
    ),
    "",
    "features                                                scenarios",
    ...Object.entries(result.features)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([feature, times]) => row(feature, times)),
    "",
    ...result.failures.flatMap(failureLines),
    ...unproved.map((property) => `proved nothing of this: ${property}`),
    `${ran}, ${seconds} virtual seconds, ${count(events, "event")}: ${found}`,
  ];
}

function row(name: string, ...counts: readonly number[]): string {
  return `  ${name.padEnd(52)}${counts.map((times) => String(times).padStart(11)).join(" ")}`;
}

function failureLines({
  seed,
  property,
  problem,
  shrunkProblem,
  shrinkRuns,
  size,
  file,
  replay,
  emulate,
}: KeptFailure): string[] {
  return [
    `seed ${seed} broke: ${property}`,
    `  ${problem}`,
    `  shrunk in ${count(shrinkRuns, "run")} to ${size}: ${file}`,
    `  ${shrunkProblem}`,
    `  replay: ${replay}`,
    `  or with tables: ${emulate}`,
    "",
  ];
}
