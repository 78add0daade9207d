/**
 * Units of time. Every name that carries a quantity ends in its unit; this module is the one place that converts.
 */

/** Integer nanoseconds since the run's origin, or a length of time. Always below 2^53 (104 days). */
export type Ns = number;

export const NS_PER_US = 1_000;
export const NS_PER_MS = 1_000_000;
export const NS_PER_SECOND = 1_000_000_000;
export const NS_PER_DAY = 86_400 * NS_PER_SECOND;

/** A run's start + duration may not exceed this, so that every instant is an exact double. */
export const MAX_TIME_NS = 100 * NS_PER_DAY;

/** 2^32: what a 32-bit field counts modulo. */
export const TWO_POW_32 = 4_294_967_296;

const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: NS_PER_US,
  ms: NS_PER_MS,
  s: NS_PER_SECOND,
  m: 60 * NS_PER_SECOND,
  h: 3_600 * NS_PER_SECOND,
  d: NS_PER_DAY,
};

/** The suffixes that parseDuration accepts, for messages. */
export const DURATION_UNITS = Object.keys(UNIT_NS).join(", ");

/**
 * Length of one tick at a tick frequency, as the kernel rounds it (TICK_NSEC): 300 Hz gives 3,333,333 ns.
 */
export function tickNsecOf(hz: number): Ns {
  return Math.floor(NS_PER_SECOND / hz);
}

/**
 * Parses "4ms", "1.5s" or "0": a decimal number and one of ns us ms s m h d. Zero needs no unit.
 *
 * @returns integer nanoseconds, or null when the text is not a duration, is not whole in ns, or exceeds 100 days
 */
export function parseDuration(text: string): Ns | null {
  const match = /^(\d+)(?:\.(\d+))?(ns|us|ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) return null;
  const [, whole = "0", fraction = "", unit] = match;
  if (unit === undefined) return Number(whole) === 0 && fraction === "" ? 0 : null;
  // In integers: 0.1s must be 100,000,000 and not what a double makes of it.
  const scaled = BigInt(whole + fraction) * BigInt(UNIT_NS[unit] ?? 0);
  const divisor = 10n ** BigInt(fraction.length);
  if (scaled % divisor !== 0n || scaled / divisor > BigInt(MAX_TIME_NS)) return null;
  return Number(scaled / divisor);
}

/** The shortest exact text of a duration: 4000000 is "4ms". */
export function formatDuration(ns: Ns): string {
  if (ns === 0) return "0s";
  const units = Object.entries(UNIT_NS).reverse();
  const [unit, unitNs] = units.find(([, size]) => ns % size === 0) ?? ["ns", 1];
  return `${ns / unitNs}${unit}`;
}
