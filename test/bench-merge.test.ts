import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BenchDocument, BenchResult } from "../bench/harness/document.js";
import { mergeDocuments } from "../bench/harness/merge.js";

const ROW: BenchResult = {
  group: "g",
  name: "a",
  unit: "ns/op",
  median: 10,
  p99: 12,
  min: 9,
  max: 13,
  samples: 5,
  ratioTo: "b",
  ratio: 2,
  ratioRounds: [1.9, 2, 2.1],
  noisy: false,
};

function documentOf(results: readonly BenchResult[], foreignShare = 0): BenchDocument {
  const machine = { cpu: "c", cores: 2, arch: "x64", kernel: "6", node: "20", v8: "11", compiler: null };
  const noise = { foreignShare, stealShare: 0, limit: 0.03 };
  return { schema: "stealclock.bench/1", machine, processes: 1, noise, results };
}

function merged(...rows: readonly BenchResult[]): BenchResult {
  return mergeDocuments(rows.map((row) => documentOf([row]))).results[0];
}

describe("the figures of several processes", () => {
  it("are the medians of each one's, between the lowest and the highest of all", () => {
    const other = { ...ROW, median: 14, p99: 20, min: 7, max: 40, samples: 6, ratio: 3, ratioRounds: [3] };
    const last = { ...ROW, median: 11, p99: 15, min: 8, max: 30, samples: 7, ratio: 2.5, ratioRounds: [2.5] };
    const { median, p99, min, max, samples, ratio, ratioRounds, noisy } = merged(ROW, other, last);
    assert.deepEqual([median, p99, min, max, samples, noisy], [11, 15, 7, 40, 18, false]);
    assert.deepEqual([ratio, ratioRounds], [2.5, [2, 3, 2.5]]);
  });

  it("are noisy when those of most were", () => {
    const noisy = { ...ROW, noisy: true };
    assert.equal(merged(ROW, noisy, noisy).noisy, true);
    assert.equal(merged(ROW, ROW, noisy).noisy, false);
  });

  it("of rows that are ratios in themselves are kept for a comparison", () => {
    const growth = { ...ROW, unit: "x per doubling", ratioTo: null, ratio: null, ratioRounds: [], rounds: [1, 1.1] };
    assert.deepEqual(merged({ ...growth, median: 1.05 }, { ...growth, median: 1.2 }).rounds, [1.05, 1.2]);
  });

  it("leave out a process that met nothing to measure, and are missing where none did", () => {
    const none = { ...ROW, median: null, p99: null, min: null, max: null, samples: 0, ratio: null, ratioRounds: [] };
    const { median, ratioRounds } = merged(ROW, none);
    assert.deepEqual([median, ratioRounds], [10, [2]]);
    const { median: noMedian, min, max, ratio } = merged(none, { ...none, note: "no compiler" });
    assert.deepEqual([noMedian, min, max, ratio], [null, null, null, null]);
    assert.equal(merged({ ...none, note: "no compiler" }, none).note, "no compiler");
  });

  it("of latencies are the medians, but for the longest of all", () => {
    const latency = (p50: number, longest: number) => ({ ...ROW, percentiles: { "50": p50, "100": longest } });
    assert.deepEqual(merged(latency(1, 9), latency(5, 7), latency(3, 8)).percentiles, { "50": 3, "100": 9 });
  });

  it("count the processes, and what others had of the machine on average", () => {
    const { processes, noise } = mergeDocuments([documentOf([ROW], 0.01), documentOf([ROW], 0.03)]);
    assert.equal(processes, 2);
    assert.ok(noise !== null && Math.abs(noise.foreignShare - 0.02) < 1e-9);
    const one = documentOf([ROW]);
    assert.equal(mergeDocuments([one]), one);
  });
});
