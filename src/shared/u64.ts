import { TWO_POW_32 } from "./units.js";

/**
 * An unsigned 64-bit integer as two 32-bit halves, changed in place. A double is exact only to 2^53, which a TSC at
 * 2.6 GHz passes after 40 days; a BigInt is exact but allocates on every operation. All arithmetic is modulo 2^64.
 */
export class U64 {
  high = 0;
  low = 0;

  /** Takes two halves, signed or unsigned: what an Int32Array holds. */
  set(high: number, low: number): this {
    this.high = high >>> 0;
    this.low = low >>> 0;
    return this;
  }

  copy(other: U64): this {
    this.high = other.high;
    this.low = other.low;
    return this;
  }

  /** @param value a non-negative integer below 2^53 */
  setNumber(value: number): this {
    this.low = value >>> 0;
    this.high = Math.floor(value / TWO_POW_32) >>> 0;
    return this;
  }

  /** The value as a double: exact below 2^53. */
  toNumber(): number {
    return this.high * TWO_POW_32 + this.low;
  }

  /** For reports and tests, never on a hot path. */
  toBigInt(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }

  add(other: U64): this {
    const low = this.low + other.low;
    this.high = (this.high + other.high + (low >= TWO_POW_32 ? 1 : 0)) >>> 0;
    this.low = low >>> 0;
    return this;
  }

  subtract(other: U64): this {
    const low = this.low - other.low;
    this.high = (this.high - other.high - (low < 0 ? 1 : 0)) >>> 0;
    this.low = low >>> 0;
    return this;
  }

  /** this = other - this. */
  subtractFrom(other: U64): this {
    const low = other.low - this.low;
    this.high = (other.high - this.high - (low < 0 ? 1 : 0)) >>> 0;
    this.low = low >>> 0;
    return this;
  }

  lessThan(other: U64): boolean {
    return this.high < other.high || (this.high === other.high && this.low < other.low);
  }

  /** @param bits 0 to 31 */
  shiftLeft(bits: number): this {
    if (bits === 0) return this;
    this.high = ((this.high << bits) | (this.low >>> (32 - bits))) >>> 0;
    this.low = (this.low << bits) >>> 0;
    return this;
  }

  /** @param bits 0 to 31 */
  shiftRight(bits: number): this {
    if (bits === 0) return this;
    this.low = ((this.low >>> bits) | (this.high << (32 - bits))) >>> 0;
    this.high = this.high >>> bits;
    return this;
  }

  /**
   * (this * multiplier) >> 32, with the 96-bit product kept whole until it is shifted.
   *
   * @param multiplier an unsigned 32-bit integer
   */
  multiplyHigh(multiplier: number): this {
    const { high, low } = this;
    this.high = highProduct(high, multiplier);
    this.low = Math.imul(high, multiplier) >>> 0;
    const carried = this.low + highProduct(low, multiplier);
    this.low = carried >>> 0;
    if (carried >= TWO_POW_32) this.high = (this.high + 1) >>> 0;
    return this;
  }

  /** this = a * b + addend, for a, b and addend unsigned 32-bit integers. Never overflows. */
  setProduct(a: number, b: number, addend: number): this {
    const low = (Math.imul(a, b) >>> 0) + addend;
    this.high = highProduct(a, b) + (low >= TWO_POW_32 ? 1 : 0);
    this.low = low >>> 0;
    return this;
  }
}

/** Lays a value down as a 64-bit field, low word first. @param value a non-negative integer below 2^53 */
export function storeWords(words: Int32Array, index: number, value: number): void {
  words[index] = value | 0;
  words[index + 1] = (value / TWO_POW_32) | 0;
}

/** The upper half of a 32 x 32 bit product. In 16-bit steps, so that no partial product passes 2^49. */
function highProduct(a: number, b: number): number {
  const lower = a * (b & 0xffff);
  const upper = a * (b >>> 16);
  return Math.floor((upper + Math.floor(lower / 65_536)) / 65_536);
}
