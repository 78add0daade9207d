import { refuse } from "../values.js";

/** What a figure is given in: shares in %, their differences in points, counts in nothing. */
export type Unit = "%" | "points" | "";

/** Both ends included; an end that is not given is infinite. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

const RANGE = /^(?:(at least|at most) )?(-?\d+(?:\.\d+)?)(?:\.\.(-?\d+(?:\.\d+)?))? ?(%|points|)$/;

/** What messages say of a range in this unit. */
export function rangeForms(unit: Unit): string {
  switch (unit) {
    case "%":
      return "50 %, 49..51 %, at least 49 %, at most 51 %";
    case "points":
      return "0 points, -1..1 points, at least -1 points, at most 1 points";
    case "":
      return "0, 1..3, at least 1, at most 3, in whole numbers";
  }
}

/**
 * Reads "50 %", "49..51 %", "at least 49 %" or "at most 51 %", and the same in other units.
 *
 * @param value as YAML has it: a count alone is a number there
 * @throws Refused what is wrong with it, and what is accepted
 */
export function asRange(value: unknown, unit: Unit): Range {
  const text = typeof value === "number" && unit === "" ? String(value) : value;
  const match = typeof text === "string" ? RANGE.exec(text.trim()) : null;
  const what = unit === "" ? "a count" : `a range in ${unit}`;
  if (match === null || match[4] !== unit) return refuse(value, what, rangeForms(unit));
  const [, bound, first = "", last = first] = match;
  if (bound !== undefined && match[3] !== undefined) return refuse(value, what, rangeForms(unit));
  const [low, high] = [Number(first), Number(last)];
  if (high < low) return refuse(value, "a range from low to high", withUnit(`${last}..${first}`, unit));
  if (unit === "" && !(isCount(low) && isCount(high))) return refuse(value, what, rangeForms(unit));
  switch (bound) {
    case "at least":
      return { low, high: Number.POSITIVE_INFINITY };
    case "at most":
      return { low: Number.NEGATIVE_INFINITY, high };
    default:
      return { low, high };
  }
}

/** The text that asRange reads. */
export function formatRange({ low, high }: Range, unit: Unit): string {
  if (low === high) return withUnit(`${low}`, unit);
  if (high === Number.POSITIVE_INFINITY) return withUnit(`at least ${low}`, unit);
  if (low === Number.NEGATIVE_INFINITY) return withUnit(`at most ${high}`, unit);
  return withUnit(`${low}..${high}`, unit);
}

/** A number with its unit: "50 %", "3". */
export function withUnit(number: string, unit: Unit): string {
  return unit === "" ? number : `${number} ${unit}`;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
