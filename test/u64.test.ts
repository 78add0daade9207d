import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { U64 } from "../src/shared/u64.js";

const MODULUS = 1n << 64n;
const RUNS = { seed: 20100830, numRuns: 5_000 };

/** Where carries and borrows between the halves happen, a uniform choice among 2^64 values hardly ever goes. */
const EDGES = [0n, 1n, 31n, 32n, 53n, 63n, 64n].flatMap((bits) => [(1n << bits) - 1n, (1n << bits) % MODULUS]);
const anyU64 = fc.oneof(fc.bigInt({ min: 0n, max: MODULUS - 1n }), fc.constantFrom(...EDGES));
const anyU32 = fc.oneof(
  fc.nat({ max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 0xffff, 0x1_0000, 0x8000_0000, 0xffff_ffff),
);
const anyShift = fc.integer({ min: 0, max: 31 });

const u64 = (value: bigint): U64 => new U64().set(Number(value >> 32n), Number(value & 0xffff_ffffn));

/** Compares a result, and that both halves are unsigned integers: toBigInt alone would not show a negative half. */
function assertValue(actual: U64, expected: bigint): void {
  assert.equal(actual.toBigInt(), ((expected % MODULUS) + MODULUS) % MODULUS);
  for (const half of [actual.high, actual.low]) assert.equal(half, half | 0);
}

test("sums and differences are those of integers modulo 2^64", () => {
  fc.assert(
    fc.property(anyU64, anyU64, (a, b) => {
      const other = u64(b);
      assertValue(u64(a).add(other), a + b);
      assertValue(u64(a).subtract(other), a - b);
      assertValue(u64(a).subtractFrom(other), b - a);
      assertValue(u64(a).copy(other), b);
      assertValue(other, b);
      assert.equal(u64(a).lessThan(other), a < b);
    }),
    RUNS,
  );
});

test("a value can be combined with itself", () => {
  fc.assert(
    fc.property(anyU64, (a) => {
      const doubled = u64(a);
      const cancelled = u64(a);
      assertValue(doubled.add(doubled), a * 2n);
      assertValue(cancelled.subtract(cancelled), 0n);
    }),
    RUNS,
  );
});

test("shifts of 0 to 31 bits move bits between the halves and drop what falls out", () => {
  fc.assert(
    fc.property(anyU64, anyShift, (a, bits) => {
      assertValue(u64(a).shiftLeft(bits), a << BigInt(bits));
      assertValue(u64(a).shiftRight(bits), a >> BigInt(bits));
    }),
    RUNS,
  );
});

test("multiplyHigh keeps the 96-bit product whole until it is shifted", () => {
  fc.assert(
    fc.property(anyU64, anyU32, (a, multiplier) => {
      assertValue(u64(a).multiplyHigh(multiplier), (a * BigInt(multiplier)) >> 32n);
    }),
    RUNS,
  );
});

test("setProduct is exact for any three 32-bit integers", () => {
  fc.assert(
    fc.property(anyU32, anyU32, anyU32, (a, b, addend) => {
      assertValue(new U64().setProduct(a, b, addend), BigInt(a) * BigInt(b) + BigInt(addend));
    }),
    RUNS,
  );
});

/** b such that a * b ends in 2^32 - short, for an odd a. A product rounded to 53 bits passes the 2^32 and carries. */
function factorShortOfWrap(a: number, short: number): number {
  let inverse = a;
  // Newton's iteration doubles the bits that are right: 3, 6, 12, 24, 48.
  for (let round = 0; round < 4; round++) inverse = Math.imul(inverse, 2 - Math.imul(a, inverse));
  return Math.imul(inverse, -short) >>> 0;
}

test("products just below a multiple of 2^32 are not rounded up to it", () => {
  const odd = fc.integer({ min: 2 ** 30, max: 2 ** 31 - 1 }).map((half) => 2 * half + 1);
  fc.assert(
    fc.property(odd, fc.integer({ min: 1, max: 200 }), (a, short) => {
      const b = factorShortOfWrap(a, short);
      const product = BigInt(a) * BigInt(b);
      assert.equal(product & 0xffff_ffffn, (1n << 32n) - BigInt(short));
      assertValue(new U64().setProduct(a, b, 0), product);
      assertValue(u64(BigInt(a)).multiplyHigh(b), product >> 32n);
      assertValue(u64(BigInt(a) << 32n).multiplyHigh(b), product);
    }),
    RUNS,
  );
});

test("integers below 2^53 go in and come out as they are", () => {
  const anySafe = fc.oneof(fc.maxSafeNat(), fc.constantFrom(2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER));
  fc.assert(
    fc.property(anySafe, (value) => {
      assertValue(new U64().setNumber(value), BigInt(value));
      assert.equal(new U64().setNumber(value).toNumber(), value);
    }),
    RUNS,
  );
});

test("halves may come signed, as an Int32Array holds them", () => {
  fc.assert(
    fc.property(anyU32, anyU32, (high, low) => {
      assertValue(new U64().set(high | 0, low | 0), (BigInt(high) << 32n) | BigInt(low));
    }),
    RUNS,
  );
});
