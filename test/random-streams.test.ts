import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { randomPhasesNs, vcpuStreams } from "../src/engine/virtual/random-streams.js";
import type { RandomStream } from "../src/shared/random-stream.js";

const TWO_POW_32 = 4_294_967_296;
const TWO_POW_53 = 9_007_199_254_740_992;
const MAX_SEED = TWO_POW_32 - 1;
const anySeed = fc.oneof(fc.integer({ min: 0, max: MAX_SEED }), fc.constantFrom(0, 1, 2, 0x8000_0000, MAX_SEED));

function draws(stream: RandomStream, count: number, limit = TWO_POW_53): number[] {
  return Array.from({ length: count }, () => stream.below(limit));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The mean of so many numbers from [0, 1) lies within five standard errors of 1/2, but for one time in 1.7 million. */
function assertCentred(values: readonly number[], what: string): void {
  const tolerance = 5 * Math.sqrt(1 / (12 * values.length));
  assert.ok(Math.abs(mean(values) - 0.5) < tolerance, `${what}: mean ${mean(values)}`);
}

describe("a stream's numbers", () => {
  test("are whole and below their limit, whatever it is", () => {
    const anyLimit = fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: TWO_POW_53 - 1 }));
    fc.assert(
      fc.property(anySeed, fc.oneof(anyLimit, fc.constantFrom(1, 2, TWO_POW_32, TWO_POW_53)), (seed, limit) => {
        for (const value of draws(vcpuStreams(seed, 1)[0], 20, limit)) {
          assert.ok(Number.isSafeInteger(value) && value >= 0 && value < limit, `${value} below ${limit}`);
        }
      }),
      { seed: 20100830, numRuns: 1_000 },
    );
  });

  test("below 1 are 0, below 2 are both", () => {
    const [stream] = vcpuStreams(0, 1);
    assert.deepEqual(new Set(draws(stream, 100, 1)), new Set([0]));
    assert.deepEqual(new Set(draws(stream, 100, 2)), new Set([0, 1]));
  });

  test("are each as likely", () => {
    for (const seed of [0, 1, 2, 12_345, MAX_SEED]) {
      const [BINS, COUNT] = [16, 32_000];
      const [stream] = vcpuStreams(seed, 1);
      const bins = new Array<number>(BINS).fill(0);
      for (const value of draws(stream, COUNT, BINS)) bins[value]++;
      const expected = COUNT / BINS;
      const chiSquare = bins.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0);
      // 15 degrees of freedom: above 50 but for one time in 100,000, below 2 but for one in 50,000.
      assert.ok(chiSquare < 50 && chiSquare > 2, `seed ${seed}: chi-square ${chiSquare}`);
    }
  });

  test("use all 53 bits: the lowest one of the largest limit too", () => {
    const values = draws(vcpuStreams(7, 1)[0], 2_000);
    const odd = values.filter((value) => value % 2 === 1).length;
    assert.ok(Math.abs(odd - 1_000) < 5 * Math.sqrt(500), `${odd} of 2000 are odd`);
    assert.ok(values.some((value) => value > TWO_POW_53 * 0.99));
    assert.ok(values.some((value) => value < TWO_POW_53 * 0.01));
  });

  // These would change with the generator, and every seeded run with them.
  test("are the same on every machine", () => {
    const firstTwo = (seed: number) => vcpuStreams(seed, 2).map((stream) => draws(stream, 2));
    assert.deepEqual(firstTwo(0), [
      [4523037908847703, 6158553663261713],
      [2675433500614845, 3027571281170306],
    ]);
    assert.deepEqual(firstTwo(1), [
      [5986027439362396, 7513867185069183],
      [3857235055157410, 720283143222479],
    ]);
    assert.deepEqual(firstTwo(MAX_SEED), [
      [5731324960099233, 6780349370882585],
      [1985598429572553, 8048035473767738],
    ]);
    assert.deepEqual(randomPhasesNs(0, 3, 4_000_000), [3061847, 3361721, 1698316]);
  });
});

describe("seeds", () => {
  test("give the same numbers each time, and others for another seed", () => {
    fc.assert(
      fc.property(anySeed, anySeed, (a, b) => {
        const first = (seed: number) => draws(vcpuStreams(seed, 2)[1], 4);
        assert.deepEqual(first(a), first(a));
        if (a !== b) assert.notDeepEqual(first(a), first(b));
      }),
      { seed: 20100830, numRuns: 300 },
    );
  });

  test("of few bits are as good as any: first draws of the seeds from 0 on are spread evenly", () => {
    const SEEDS = 2_000;
    const firsts = Array.from({ length: SEEDS }, (_, seed) => vcpuStreams(seed, 1)[0].below(TWO_POW_53) / TWO_POW_53);
    assert.equal(new Set(firsts).size, SEEDS);
    assertCentred(firsts, "all");
    assertCentred(firsts.slice(0, 100), "the first hundred");
    const bins = new Array<number>(10).fill(0);
    for (const value of firsts) bins[Math.floor(value * 10)]++;
    // 200 each, give or take 14: five of those.
    for (const found of bins) assert.ok(Math.abs(found - SEEDS / 10) < 70, `${bins}`);
  });

  test("0 and 1 have no weak beginning", () => {
    for (const seed of [0, 1]) {
      for (const stream of vcpuStreams(seed, 3)) {
        const values = draws(stream, 400).map((value) => value / TWO_POW_53);
        assertCentred(values.slice(0, 40), `the first 40 of seed ${seed}`);
        assertCentred(values, `seed ${seed}`);
        assert.equal(new Set(values).size, values.length);
      }
    }
  });
});

describe("the streams of a machine", () => {
  test("do not depend on how many there are: another vCPU leaves the others what they had", () => {
    fc.assert(
      fc.property(anySeed, fc.integer({ min: 1, max: 12 }), (seed, count) => {
        const few = vcpuStreams(seed, count).map((stream) => draws(stream, 3));
        const more = vcpuStreams(seed, count + 5).map((stream) => draws(stream, 3));
        assert.deepEqual(more.slice(0, count), few);
        assert.deepEqual(
          randomPhasesNs(seed, count + 5, 4_000_000).slice(0, count),
          randomPhasesNs(seed, count, 4_000_000),
        );
      }),
      { seed: 20100830, numRuns: 100 },
    );
  });

  test("have nothing in common: neighbours' numbers are not related, nor are those of two purposes", () => {
    const COUNT = 1_000;
    const unit = (stream: RandomStream) => draws(stream, COUNT).map((value) => value / TWO_POW_53 - 0.5);
    const [a, b, c] = vcpuStreams(3, 3).map(unit);
    const related = (x: readonly number[], y: readonly number[]) =>
      12 * mean(x.map((value, index) => value * y[index]));
    // The product of two such numbers has a standard deviation of 1/12.
    for (const [x, y] of [
      [a, b],
      [b, c],
      [a, c],
      [a.slice(1), b],
      [a, b.slice(1)],
    ]) {
      const length = Math.min(x.length, y.length);
      assert.ok(Math.abs(related(x.slice(0, length), y)) < 5 / Math.sqrt(length));
    }
    const phases = randomPhasesNs(3, 50, TWO_POW_53);
    const firsts = vcpuStreams(3, 50).map((stream) => stream.below(TWO_POW_53));
    assert.equal(new Set([...phases, ...firsts]).size, 100);
  });

  test("phases lie anywhere in a tick", () => {
    const tickNsec = 3_333_333;
    const phases = randomPhasesNs(1, 500, tickNsec);
    for (const phase of phases) assert.ok(Number.isInteger(phase) && phase >= 0 && phase < tickNsec);
    assertCentred(
      phases.map((phase) => phase / tickNsec),
      "phases",
    );
  });
});
