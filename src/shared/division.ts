import { NS_PER_MS } from "./units.js";

/**
 * Division of whole numbers that a double holds exactly, by one multiplication and a correction. `%` on doubles is a call
 * into C that takes longer the larger the quotient is, and Math.floor(a / b) can be one too high: a quotient that needs
 * more than 53 bits is rounded, also up to the next whole number.
 *
 * @param dividend 0 to 2^53 - 1
 * @param divisor 1 to 2^53 - 1
 * @returns the quotient, rounded down
 */
export function wholeQuotient(dividend: number, divisor: number): number {
  const quotient = Math.floor(dividend / divisor);
  // Exact, as a quotient rounded up is at most one too high: the product does not pass dividend + divisor.
  return quotient * divisor > dividend ? quotient - 1 : quotient;
}

/** What wholeQuotient leaves over. */
export function remainderOf(dividend: number, divisor: number): number {
  return dividend - wholeQuotient(dividend, divisor) * divisor;
}

const MS_PER_NS = 1 / NS_PER_MS;

/** As wholeQuotient(ns, 1e6), by a second multiplication in place of the division, which takes three times as long. */
export function wholeMsOf(ns: number): number {
  // The product is off by less than one part in 2^51: what it is rounded down to, by at most one.
  const quotient = Math.floor(ns * MS_PER_NS);
  const remainder = ns - quotient * NS_PER_MS;
  if (remainder < 0) return quotient - 1;
  return remainder < NS_PER_MS ? quotient : quotient + 1;
}
