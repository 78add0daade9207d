import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pvclockScaleDelta, Tsc, TscFrequency, tscRateOf } from "../src/shared/tsc.js";
import { U64 } from "../src/shared/u64.js";
import { MAX_TIME_NS } from "../src/shared/units.js";

const RUNS = { seed: 20100830, numRuns: 5_000 };
const U64_MASK = (1n << 64n) - 1n;

const anyTscKhz = fc.oneof(
  fc.integer({ min: 100_000, max: 10_000_000 }),
  // A GHz is where the shift changes.
  fc.constantFrom(100_000, 125_000, 250_000, 500_000, 999_999, 1_000_000, 1_000_001, 2_000_000, 2_000_001, 2_599_998),
  fc.constantFrom(3_999_999, 4_000_000, 4_000_001, 8_000_000, 8_000_001, 9_999_999, 10_000_000),
);

const anyInstantNs = fc.oneof(
  fc.integer({ min: 0, max: MAX_TIME_NS }),
  fc.integer({ min: 0, max: 10_000_000 }),
  // Just before and after a whole millisecond, where a rounded division would show first.
  fc
    .tuple(fc.integer({ min: 1, max: MAX_TIME_NS / 1_000_000 - 1 }), fc.integer({ min: -1, max: 1 }))
    .map(([ms, offNs]) => ms * 1_000_000 + offNs),
  fc.constantFrom(MAX_TIME_NS, MAX_TIME_NS - 1, 2 ** 32 * 1_000_000, 2 ** 32 * 1_000_000 - 1),
);

const cyclesAt = (tscKhz: number, ns: number): bigint => (BigInt(ns) * BigInt(tscKhz)) / 1_000_000n;

const u64 = (value: bigint): U64 => new U64().set(Number(value >> 32n), Number(value & 0xffff_ffffn));

test("scaling a difference is exact for every 64-bit difference, multiplier and shift", () => {
  const anyDelta = fc.oneof(fc.bigInt({ min: 0n, max: U64_MASK }), fc.bigInt({ min: 0n, max: 1n << 40n }));
  const anyMul = fc.oneof(fc.nat({ max: 0xffff_ffff }), fc.constantFrom(0, 1, 0x8000_0000, 0xffff_ffff, 3_303_823_538));
  fc.assert(
    fc.property(anyDelta, anyMul, fc.integer({ min: -31, max: 31 }), (delta, mul, shift) => {
      const shifted = shift < 0 ? delta >> BigInt(-shift) : (delta << BigInt(shift)) & U64_MASK;
      const expected = ((shifted * BigInt(mul)) >> 32n) & U64_MASK;
      assert.equal(pvclockScaleDelta(u64(delta), mul, shift).toBigInt(), expected);
    }),
    RUNS,
  );
});

test("a TSC of 2,599.998 MHz gets the multiplier and shift that a real host gave it", () => {
  assert.deepEqual(tscRateOf(2_599_998), { tscToSystemMul: 3_303_823_538, tscShift: -1 });
});

test("frequencies at the bounds of the shift", () => {
  // By hand: (1 GHz, 2 GHz] needs no shift, and 2 GHz the smallest multiplier that has 32 bits.
  assert.deepEqual(tscRateOf(2_000_000), { tscToSystemMul: 2 ** 31, tscShift: 0 });
  assert.deepEqual(tscRateOf(4_000_000), { tscToSystemMul: 2 ** 31, tscShift: -1 });
  assert.deepEqual(tscRateOf(1_000_000), { tscToSystemMul: 2 ** 31, tscShift: 1 });
  assert.equal(tscRateOf(2_000_001).tscShift, -1);
  assert.equal(tscRateOf(1_000_001).tscShift, 0);
  assert.equal(tscRateOf(100_000).tscShift, 4);
  assert.equal(tscRateOf(10_000_000).tscShift, -3);
});

test("the multiplier is the largest one that is not ahead, and uses all 32 bits", () => {
  fc.assert(
    fc.property(anyTscKhz, (tscKhz) => {
      const { tscToSystemMul, tscShift } = tscRateOf(tscKhz);
      assert.ok(tscToSystemMul >= 2 ** 31 && tscToSystemMul < 2 ** 32, `${tscKhz} kHz: ${tscToSystemMul}`);
      // Within one second of cycles, mul * 2^shift / 2^32 ns each, there is a second of ns. Shifted to stay in integers.
      const secondOfCycles = BigInt(tscKhz) * 1000n;
      const scaled = (mul: number): bigint => (secondOfCycles * BigInt(mul)) << BigInt(tscShift + 8);
      const secondOfNs = 1_000_000_000n << (32n + 8n);
      assert.ok(scaled(tscToSystemMul) <= secondOfNs, `${tscKhz} kHz is ahead`);
      assert.ok(scaled(tscToSystemMul + 1) > secondOfNs, `${tscKhz} kHz is more behind than it must be`);
    }),
    RUNS,
  );
});

test("the TSC counts every cycle exactly, over 100 days and at any frequency", () => {
  fc.assert(
    fc.property(anyTscKhz, anyInstantNs, (tscKhz, ns) => {
      assert.equal(new TscFrequency(tscKhz).cyclesAt(ns, new U64()).toBigInt(), cyclesAt(tscKhz, ns));
    }),
    RUNS,
  );
});

test("a TSC's instants do not depend on the one asked before", () => {
  const frequency = new TscFrequency(2_599_998);
  const out = new U64();
  // The first needs more than 32 bits of milliseconds, the second must not remember them.
  assert.equal(frequency.cyclesAt(MAX_TIME_NS, out).toBigInt(), cyclesAt(2_599_998, MAX_TIME_NS));
  assert.equal(frequency.cyclesAt(1_000, out).toBigInt(), 2_599n);
});

/**
 * What a page stamped at one instant says at a later one, against the time it is. The stamp's two halves are rounded
 * down apart, and so is the TSC at the reading, so a difference of cycles is off by less than one cycle either way:
 *
 *   ahead:   less than one cycle. From 1 GHz on a cycle is at most 1 ns, so in whole ns: never.
 *   behind:  less than 2^s cycles, for the bits that a right shift by s drops and the cycle above (s is 0 for a left
 *            shift), plus 1 ns for the last rounding, plus elapsed / 2^31 for the multiplier.
 */
test("a reading is ahead by less than a cycle, and behind by no more than the rounding and the drift", () => {
  fc.assert(
    fc.property(anyTscKhz, anyInstantNs, anyInstantNs, (tscKhz, a, b) => {
      const [stampNs, nowNs] = a < b ? [a, b] : [b, a];
      const { tscToSystemMul, tscShift } = tscRateOf(tscKhz);
      const delta = u64(cyclesAt(tscKhz, nowNs) - cyclesAt(tscKhz, stampNs));
      const readingNs = BigInt(stampNs) + pvclockScaleDelta(delta, tscToSystemMul, tscShift).toBigInt();

      const aheadNs = readingNs - BigInt(nowNs);
      assert.ok(aheadNs * BigInt(tscKhz) < 1_000_000n, `ahead by ${aheadNs} ns`);
      if (tscKhz >= 1_000_000) assert.ok(aheadNs <= 0n, `ahead by ${aheadNs} ns`);

      // All terms times 2^31 * tscKhz, to stay in integers: a cycle is 10^6 / tscKhz ns.
      const drift = BigInt(nowNs - stampNs) * BigInt(tscKhz);
      const rounding = (1_000_000n << BigInt(Math.max(0, -tscShift))) + BigInt(tscKhz);
      assert.ok((-aheadNs * BigInt(tscKhz)) << 31n < drift + (rounding << 31n), `behind by ${-aheadNs} ns`);
    }),
    RUNS,
  );
});

/** Frequencies, and for how long a machine has each of them. */
const anyChanges = fc.array(
  fc.record({
    tscKhz: anyTscKhz,
    forNs: fc.oneof(
      fc.integer({ min: 1, max: MAX_TIME_NS / 8 }),
      fc.integer({ min: 1, max: 10_000_000 }),
      fc.constantFrom(1, 1_000_000, 999_999),
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

test("a TSC that changes its frequency goes on from where it stood, and loses less than a cycle each time", () => {
  fc.assert(
    fc.property(anyTscKhz, anyInstantNs, anyChanges, fc.nat(10_000_000), (firstKhz, firstForNs, changes, thenNs) => {
      const out = new U64();
      const tsc = new Tsc(firstKhz);
      let now = Math.min(firstForNs, MAX_TIME_NS / 8);
      let tscKhz = firstKhz;
      let expected = cyclesAt(firstKhz, now);
      for (const change of changes) {
        assert.equal(tsc.cyclesAt(now, out).toBigInt(), expected);
        tsc.changeFrequency(change.tscKhz, now);
        // At that instant it shows what it showed.
        assert.equal(tsc.cyclesAt(now, out).toBigInt(), expected);
        assert.deepEqual(tsc.rate, tscRateOf(change.tscKhz));
        ({ tscKhz } = change);
        now += change.forNs;
        expected += cyclesAt(tscKhz, change.forNs);
      }
      const later = now + thenNs;
      const sinceNs = (changes.at(-1)?.forNs ?? 0) + thenNs;
      const atChange = expected - cyclesAt(tscKhz, changes.at(-1)?.forNs ?? 0);
      assert.equal(tsc.cyclesAt(later, out).toBigInt(), atChange + cyclesAt(tscKhz, sinceNs));
    }),
    RUNS,
  );
});

test("a TSC that never changes its frequency counts as that frequency does", () => {
  fc.assert(
    fc.property(anyTscKhz, anyInstantNs, (tscKhz, ns) => {
      const tsc = new Tsc(tscKhz);
      assert.equal(tsc.cyclesAt(ns, new U64()).toBigInt(), cyclesAt(tscKhz, ns));
      assert.deepEqual(tsc.rate, tscRateOf(tscKhz));
      // Nor does one that changes before it has counted anything.
      tsc.changeFrequency(1_999_999, 0);
      assert.equal(tsc.cyclesAt(ns, new U64()).toBigInt(), cyclesAt(1_999_999, ns));
    }),
    RUNS,
  );
});
