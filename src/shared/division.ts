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
