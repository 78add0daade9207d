import type { Ns } from "../shared/units.js";
import type { Problem } from "./run-one.js";

/** Of one seed, what it broke. */
export interface Failure {
  readonly seed: number;
  readonly problems: readonly Problem[];
}

/** How often a property was looked at. */
export interface Exercise {
  readonly scenarios: number;
  readonly cases: number;
}

/** What a number of seeds showed; plain data, that a worker can hand over. */
export interface Tally {
  scenarios: number;
  events: number;
  virtualNs: Ns;
  readonly features: Record<string, number>;
  readonly properties: Record<string, Exercise>;
  readonly failures: Failure[];
}

export function emptyTally(): Tally {
  return { scenarios: 0, events: 0, virtualNs: 0, features: {}, properties: {}, failures: [] };
}

export function countFeature(tally: Tally, feature: string, scenarios = 1): void {
  tally.features[feature] = (tally.features[feature] ?? 0) + scenarios;
}

export function countExercise(tally: Tally, property: string, { scenarios, cases }: Exercise): void {
  const before = tally.properties[property] ?? { scenarios: 0, cases: 0 };
  tally.properties[property] = { scenarios: before.scenarios + scenarios, cases: before.cases + cases };
}

/** Adds what some more seeds showed. */
export function addTally(to: Tally, more: Tally): void {
  to.scenarios += more.scenarios;
  to.events += more.events;
  to.virtualNs += more.virtualNs;
  for (const [feature, scenarios] of Object.entries(more.features)) countFeature(to, feature, scenarios);
  for (const [property, exercise] of Object.entries(more.properties)) countExercise(to, property, exercise);
  to.failures.push(...more.failures);
}

/** A property that no case was found for has shown nothing. */
export function neverExercised({ properties }: Tally): string[] {
  return Object.keys(properties).filter((property) => properties[property].cases === 0);
}
