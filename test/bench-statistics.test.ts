import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CpuTicks, NoiseMeter, parseCpuTicks } from "../bench/harness/noise.js";
import { RowRecord } from "../bench/harness/row-record.js";
import { fairness, growthPerDoubling, median, medianInterval, spreadOf } from "../bench/harness/statistics.js";
import { figure } from "../bench/report/columns.js";

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe("the bench's statistics", () => {
  it("takes a median and a spread, and none of nothing", () => {
    assert.equal(median([5, 1, 3]), 3);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.equal(median([]), null);
    assert.deepEqual(spreadOf(upTo(1_000).reverse()), { p99: 990.01, min: 1, max: 1_000 });
    assert.equal(spreadOf([]), null);
  });

  // The ranks that tables of the sign test give for 95 %.
  it("gives the median's confidence interval by order statistics", () => {
    assert.equal(medianInterval(upTo(5)), null);
    assert.deepEqual(medianInterval(upTo(6)), { low: 1, high: 6 });
    assert.deepEqual(medianInterval(upTo(8)), { low: 1, high: 8 });
    assert.deepEqual(medianInterval(upTo(9)), { low: 2, high: 8 });
    assert.deepEqual(medianInterval(upTo(10).reverse()), { low: 2, high: 9 });
    assert.deepEqual(medianInterval(upTo(25)), { low: 8, high: 18 });
    assert.deepEqual(medianInterval(upTo(50)), { low: 18, high: 33 });
  });

  it("fits the growth per doubling", () => {
    const points = [1, 10, 100, 1_000].map((x) => ({ x, y: 7 * x ** 1.5 }));
    assert.ok(Math.abs(growthPerDoubling(points) - 2 ** 1.5) < 1e-9);
    assert.ok(Math.abs(growthPerDoubling(points.map(({ x }) => ({ x, y: 3 }))) - 1) < 1e-9);
  });

  it("knows equal shares from one that has everything", () => {
    assert.equal(fairness([5, 5, 5, 5]), 1);
    assert.equal(fairness([8, 0, 0, 0]), 0.25);
    assert.equal(fairness([0, 0]), 1);
  });

  it("prints figures in three digits or whole", () => {
    assert.deepEqual([null, 0.27123, 84.09, 1_530.4, 0.00012].map(figure), ["-", "0.271", "84.1", "1,530", "1.2e-4"]);
  });
});

describe("a row's record", () => {
  const spec = { name: "a", unit: "ns/op", ratioTo: "b" };

  it("divides round by round, so that a drift of both cancels out", () => {
    const row = new RowRecord(spec);
    const base = new RowRecord({ name: "b", unit: "ns/op", ratioTo: null });
    for (const speed of [1, 10, 100]) {
      row.add([4 * speed, 2 * speed, 3 * speed]);
      base.add([speed]);
    }
    const { median: middle, ratio, ratioRounds, samples, min, max } = row.result("group", base, false, undefined);
    assert.deepEqual(
      { middle, ratio, ratioRounds, samples, min, max },
      {
        middle: 30,
        ratio: 3,
        ratioRounds: [3, 3, 3],
        samples: 9,
        min: 2,
        max: 400,
      },
    );
  });

  it("leaves a round out in which there was nothing to measure", () => {
    const row = new RowRecord(spec);
    const base = new RowRecord(spec);
    for (const [own, other] of [
      [[6], [3]],
      [[], [3]],
      [[8], []],
    ]) {
      row.add(own);
      base.add(other);
    }
    assert.deepEqual(row.result("group", base, false, undefined).ratioRounds, [2]);
  });

  it("has no figures without samples, and says why", () => {
    const result = new RowRecord(spec).result("group", null, true, "no compiler");
    const { median: middle, p99, ratio, samples, noisy, note } = result;
    assert.deepEqual([middle, p99, ratio, samples, noisy, note], [null, null, null, 0, false, "no compiler"]);
  });

  it("keeps the rounds of a row that is a ratio in itself, and of no other", () => {
    const roundsOf = (unit: string, ratioTo: string | null): readonly number[] | undefined => {
      const record = new RowRecord({ name: "a", unit, ratioTo });
      for (const figures of [[1], [], [3]]) record.add(figures);
      return record.result("group", null, false, undefined).rounds;
    };
    assert.deepEqual(roundsOf("x per doubling", null), [1, 3]);
    assert.deepEqual(roundsOf("fairness", null), [1, 3]);
    assert.equal(roundsOf("ns/op", null), undefined);
    assert.equal(roundsOf("fairness", "b"), undefined);
  });

  it("derives a row from others of the same round", () => {
    const [x, y] = [2, 3].map((factor) => {
      const record = new RowRecord(spec);
      for (const value of [1, 2]) record.add([value * factor]);
      return record;
    });
    const derived = RowRecord.derived({ ...spec, from: ["x", "y"], derive: ([a, b]) => a * b }, [x, y]);
    assert.equal(derived.result("group", null, false, undefined).median, 15);
  });
});

describe("noise of the machine", () => {
  it("is read from the cpu line and from a process whose name has spaces and brackets", () => {
    const stat = "cpu  100 20 30 400 50 6 7 8 90 9\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
    const self = "42 (a ) b) R 1 1 1 0 -1 4194304 102 0 0 0 11 12 13 14 20 0 1 0 2673688 0";
    assert.deepEqual(parseCpuTicks(stat, self), { total: 621, busy: 163, steal: 8, own: 50 });
    assert.equal(parseCpuTicks("intr 1\n", self), null);
  });

  const meterOver = (...spans: readonly [Partial<CpuTicks>, Partial<CpuTicks>][]): NoiseMeter => {
    const readings = spans.flat();
    const meter = new NoiseMeter(() => ({ total: 0, busy: 0, steal: 0, own: 0, ...readings.shift() }));
    for (const _ of spans) {
      meter.begin();
      meter.end();
    }
    return meter;
  };

  it("counts what neither this process nor nobody had", () => {
    const meter = meterOver([
      { total: 1_000, busy: 500 },
      { total: 1_200, busy: 600, own: 90, steal: 4 },
    ]);
    assert.deepEqual(meter.shares, { foreignShare: 0.05, stealShare: 0.02 });
    assert.equal(meter.isNoisy, true);
  });

  it("adds spans up, and nothing between them", () => {
    const meter = meterOver(
      [{}, { total: 100, busy: 50, own: 50 }],
      [
        { total: 900, busy: 900 },
        { total: 1_000, busy: 905 },
      ],
    );
    assert.deepEqual(meter.shares, { foreignShare: 0.025, stealShare: 0 });
    assert.equal(meter.isNoisy, false);
  });

  it("is not known where nothing can be read", () => {
    const meter = new NoiseMeter(() => null);
    meter.begin();
    meter.end();
    assert.equal(meter.shares, null);
    assert.equal(meter.isNoisy, false);
  });
});
