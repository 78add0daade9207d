import {
  formatDuration,
  MAX_TIME_NS,
  NS_PER_DAY,
  NS_PER_MS,
  NS_PER_SECOND,
  NS_PER_US,
  type Ns,
  TWO_POW_32,
} from "../shared/units.js";
import type { EngineKind } from "./scenario.js";

/** What a figure may be, both ends included. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** How many vCPUs an engine takes, and how many pCPUs: a thread each in the real one, an object each in the virtual one. */
export const COUNT_LIMITS = {
  real: { min: 1, max: 1024 },
  virtual: { min: 1, max: 100_000 },
} as const satisfies Record<EngineKind, Range>;

/** What each figure of a scenario may be, in whichever engine. */
export const LIMITS = {
  count: COUNT_LIMITS.virtual,
  seed: { min: 0, max: TWO_POW_32 - 1 },
  nice: { min: -20, max: 19 },
  tscKhz: { min: 100_000, max: 10_000_000 },
  durationNs: { min: NS_PER_MS, max: MAX_TIME_NS },
  sliceNs: { min: 100 * NS_PER_US, max: 10 * NS_PER_SECOND },
  pollNs: { min: 100 * NS_PER_US, max: NS_PER_SECOND },
  periodicNs: { min: 100 * NS_PER_US, max: NS_PER_SECOND },
  dutyPeriodNs: { min: NS_PER_MS, max: 10 * NS_PER_SECOND },
  dutyPercent: { min: 1, max: 99 },
  watchdogNs: { min: NS_PER_MS, max: MAX_TIME_NS },
  sampleNs: { min: 10 * NS_PER_MS, max: NS_PER_DAY },
  jitterPercent: { min: 0, max: 50 },
  wakeLatencyNs: { min: 0, max: NS_PER_SECOND },
  hostNoiseNs: { min: 0, max: NS_PER_SECOND },
  startAtNs: { min: 0, max: MAX_TIME_NS - NS_PER_MS },
  timelineEvents: { min: 0, max: 1_000 },
  eventBytes: { min: 1, max: 1_099_511_627_776 },
  timelineForNs: { min: NS_PER_US, max: MAX_TIME_NS },
} as const satisfies Record<string, Range>;

export const HZ_VALUES = [100, 250, 300, 1000] as const;

/** How many vCPUs or pCPUs are accepted, for messages. */
export const ACCEPTED_COUNTS =
  `an integer from ${COUNT_LIMITS.real.min} to ${COUNT_LIMITS.real.max} in the real engine, ` +
  `to ${COUNT_LIMITS.virtual.max} in the virtual engine`;

export function isOutside(value: number, range: Range): boolean {
  return !Number.isSafeInteger(value) || value < range.min || value > range.max;
}

/** A length of time for messages, whatever it is. */
export function showNs(ns: Ns): string {
  return Number.isSafeInteger(ns) ? formatDuration(ns) : `${ns}ns`;
}

/** "100us to 10s". */
function showTimes(range: Range): string {
  return `${formatDuration(range.min)} to ${formatDuration(range.max)}`;
}

/** @returns what is wrong with a number, or null */
export function integerProblem(name: string, value: number, range: Range): string | null {
  if (!isOutside(value, range)) return null;
  return `${name} ${value} is out of range; accepted: an integer from ${range.min} to ${range.max}`;
}

/** @returns what is wrong with a length of time, or null */
export function timeProblem(name: string, ns: Ns, range: Range): string | null {
  return isOutside(ns, range) ? `${name} ${showNs(ns)} is out of range; accepted: ${showTimes(range)}` : null;
}
