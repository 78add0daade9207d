import type { BenchResult } from "./document.js";
import { median, spreadOf } from "./statistics.js";
import type { DerivedRow, RowSpec } from "./trial.js";

/** The samples of a row, by round. */
export class RowRecord {
  readonly spec: RowSpec;
  readonly #samples: number[] = [];
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

  /** One round's samples. */
  add(samples: readonly number[]): void {
    for (const sample of samples) this.#samples.push(sample);
    this.#rounds.push(median(samples));
  }

  /** @param base the row that this one is divided by; null when there is none */
  result(group: string, base: RowRecord | null, noisy: boolean, note: string | undefined): BenchResult {
    const { name, unit, ratioTo } = this.spec;
    const ratioRounds = base === null ? [] : this.#ratios(base);
    const spread = spreadOf(this.#samples);
    return {
      group,
      name,
      unit,
      median: median(this.#rounds.filter((value) => value !== null)),
      p99: spread?.p99 ?? null,
      min: spread?.min ?? null,
      max: spread?.max ?? null,
      samples: this.#samples.length,
      ratioTo,
      ratio: median(ratioRounds),
      ratioRounds,
      noisy,
      ...(note !== undefined && { note }),
    };
  }

  #ratios(base: RowRecord): number[] {
    return this.#rounds.flatMap((value, round) => {
      const divisor = base.#rounds[round] ?? null;
      return value === null || divisor === null || divisor === 0 ? [] : [value / divisor];
    });
  }
}
