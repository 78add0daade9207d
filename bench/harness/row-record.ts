import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import type { BenchResult } from "./document.js";
import { median, type Spread, spreadOf } from "./statistics.js";
import type { DerivedRow, RoundFigures, RowSpec } from "./trial.js";
import { isRatio } from "./units.js";

/** What of a histogram is shown. */
export const PERCENTILES = ["50", "90", "99", "99.9", "99.99", "100"] as const;

/** The samples of a row, by round. */
export class RowRecord {
  readonly spec: RowSpec;
  readonly #samples: number[] = [];
  /** In place of samples, where they come as histograms. */
  #histogram: RecordableHistogram | null = null;
  /** The median of each round; null for a round with nothing to measure. */
  readonly #rounds: (number | null)[] = [];

  constructor(spec: RowSpec) {
    this.spec = spec;
  }

  /** A row whose figure in each round comes from other rows' in that round. */
  static derived(row: DerivedRow, from: readonly RowRecord[]): RowRecord {
    const record = new RowRecord(row);
    const rounds = Math.min(...from.map((one) => one.#rounds.length));
    for (let round = 0; round < rounds; round++) {
      const values = from.flatMap((one) => one.#rounds[round] ?? []);
      record.add(values.length === from.length ? [row.derive(values)] : []);
    }
    return record;
  }

  /** One round's figures. */
  add(figures: RoundFigures): void {
    if (!("percentile" in figures)) {
      for (const sample of figures) this.#samples.push(sample);
      this.#rounds.push(median(figures));
      return;
    }
    this.#histogram ??= createHistogram();
    this.#histogram.add(figures);
    this.#rounds.push(figures.count === 0 ? null : figures.percentile(50));
  }

  /** @param base the row that this one is divided by; null when there is none */
  result(group: string, base: RowRecord | null, noisy: boolean, note: string | undefined): BenchResult {
    const { name, unit, ratioTo } = this.spec;
    const ratioRounds = base === null ? [] : this.#ratios(base);
    const spread = this.#spread();
    const samples = this.#histogram?.count ?? this.#samples.length;
    const rounds = this.#rounds.filter((value) => value !== null);
    return {
      group,
      name,
      unit,
      median: median(rounds),
      p99: spread?.p99 ?? null,
      min: spread?.min ?? null,
      max: spread?.max ?? null,
      samples,
      ratioTo,
      ratio: median(ratioRounds),
      ratioRounds,
      ...(ratioTo === null && isRatio(unit) && { rounds }),
      noisy: noisy && samples > 0,
      ...(this.#histogram !== null && { percentiles: percentilesOf(this.#histogram) }),
      ...(note !== undefined && { note }),
    };
  }

  #spread(): Spread | null {
    const histogram = this.#histogram;
    if (histogram === null) return spreadOf(this.#samples);
    return histogram.count === 0 ? null : { p99: histogram.percentile(99), min: histogram.min, max: histogram.max };
  }

  #ratios(base: RowRecord): number[] {
    return this.#rounds.flatMap((value, round) => {
      const divisor = base.#rounds[round] ?? null;
      return value === null || divisor === null || divisor === 0 ? [] : [value / divisor];
    });
  }
}

function percentilesOf(histogram: RecordableHistogram): Record<string, number> {
  return Object.fromEntries(PERCENTILES.map((percentile) => [percentile, histogram.percentile(Number(percentile))]));
}
