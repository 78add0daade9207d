import { TWO_POW_32 } from "./units.js";

/**
 * An unsigned 64-bit integer as two 32-bit halves, changed in place. A double is exact only to 2^53, which a TSC at
 * 2.6 GHz passes after 40 days; a BigInt is exact but allocates on every operation. All arithmetic is modulo 2^64.
 *
 * The halves are kept as signed 32-bit integers, as an Int32Array has them: small integers to V8, where an unsigned half would
 * often be a double in a box of its own.
 */
export class U64 {
  high = 0;
  low = 0;

  /** Takes two halves, signed or unsigned. */
  set(high: number, low: number): this {
    this.high = high | 0;
    this.low = low | 0;
    return this;
  }

  copy(other: U64): this {
    this.high = other.high;
    this.low = other.low;
    return this;
  }

  /** @param value a non-negative integer below 2^53 */
  setNumber(value: number): this {
    this.low = value | 0;
    this.high = (value / TWO_POW_32) | 0;
    return this;
  }

  /** The value as a double: exact below 2^53. */
  toNumber(): number {
    return (this.high >>> 0) * TWO_POW_32 + (this.low >>> 0);
  }

  /** For reports and tests, never on a hot path. */
  toBigInt(): bigint {
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }

  add(other: U64): this {
    const low = (this.low + other.low) | 0;
    const carry = isBelow(low, other.low) ? 1 : 0;
    this.high = (this.high + other.high + carry) | 0;
    this.low = low;
    return this;
  }

  subtract(other: U64): this {
    const borrow = isBelow(this.low, other.low) ? 1 : 0;
    this.high = (this.high - other.high - borrow) | 0;
    this.low = (this.low - other.low) | 0;
    return this;
  }

  /** this = other - this. */
  subtractFrom(other: U64): this {
    const borrow = isBelow(other.low, this.low) ? 1 : 0;
    this.high = (other.high - this.high - borrow) | 0;
    this.low = (other.low - this.low) | 0;
    return this;
  }

  lessThan(other: U64): boolean {
    return this.high === other.high ? isBelow(this.low, other.low) : isBelow(this.high, other.high);
  }

  /** @param bits 0 to 31 */
  shiftLeft(bits: number): this {
    if (bits === 0) return this;
    this.high = (this.high << bits) | (this.low >>> (32 - bits));
    this.low = this.low << bits;
    return this;
  }

  /** @param bits 0 to 31 */
  shiftRight(bits: number): this {
    if (bits === 0) return this;
    this.low = (this.low >>> bits) | (this.high << (32 - bits));
    this.high = (this.high >>> bits) | 0;
    return this;
  }

  /**
   * (this * multiplier) >> 32, with the 96-bit product kept whole until it is shifted.
   *
   * @param multiplier an unsigned 32-bit integer
   */
  multiplyHigh(multiplier: number): this {
    const { high, low } = this;
    return this.setProduct(high, multiplier, highProduct(low, multiplier));
  }

  /** this = a * b + addend, for a, b and addend unsigned 32-bit integers. Never overflows. */
  setProduct(a: number, b: number, addend: number): this {
    const low = (Math.imul(a, b) + addend) | 0;
    this.high = (highProduct(a, b) + (isBelow(low, addend) ? 1 : 0)) | 0;
    this.low = low;
    return this;
  }
}

/** Lays a value down as a 64-bit field, low word first. @param value a non-negative integer below 2^53 */
export function storeWords(words: Int32Array, index: number, value: number): void {
  words[index] = value | 0;
  words[index + 1] = (value / TWO_POW_32) | 0;
}

/** Whether one half is less than another, both taken as unsigned. */
function isBelow(a: number, b: number): boolean {
  return a >>> 0 < b >>> 0;
}

/** The upper half of a 32 x 32 bit product of unsigned integers, from products of their 16-bit halves. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  // Neither sum passes 2^32 - 1: 0xffff * 0xffff + 0xffff is 0xffff0000.
  const middle = Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16);
  const other = Math.imul(aLow, bHigh) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (other >>> 16)) | 0;
}
