import type { Ns } from "../shared/units.js";

/** Each power of two is divided into this many buckets, so a quantile errs by at most one part in 16. */
const SUB_BUCKETS = 16;
/** Values below 16 have a row of buckets, and so has each power of two from 2^4 to 2^53. */
const ROWS = 51;
/** The width of a row's buckets: 1, 1, 2, 4 and so on. */
const WIDTHS = widthsOfRows();

/**
 * A distribution of waiting times, in buckets that grow with the value. Ours, because one is needed per vCPU, up to 100,000
 * of them, and perf_hooks' histogram takes a native handle each. So each has buckets only for the powers of two that it met,
 * in plain arrays: a typed one of 16 takes twice the memory. The maximum is exact.
 */
export class WaitHistogram {
  #rows: (number[] | undefined)[] | null = null;
  #total = 0;
  maxNs: Ns = 0;

  record(ns: Ns): void {
    this.#rows ??= new Array(ROWS);
    const row = rowOf(ns);
    this.#rows[row] ??= new Array(SUB_BUCKETS).fill(0);
    this.#rows[row][bucketOf(ns, row)]++;
    this.#total++;
    if (ns > this.maxNs) this.maxNs = ns;
  }

  /** @param quantile 0 to 1 @returns an upper bound of the bucket that holds it, at most maxNs; 0 without records */
  quantileNs(quantile: number): Ns {
    if (this.#rows === null) return 0;
    let remaining = Math.max(1, Math.ceil(this.#total * quantile));
    for (const [row, counts] of this.#rows.entries()) {
      if (counts === undefined) continue;
      for (const [bucket, count] of counts.entries()) {
        remaining -= count;
        if (remaining <= 0) return Math.min(this.maxNs, upperBoundOf(row, bucket));
      }
    }
    return this.maxNs;
  }
}

function widthsOfRows(): number[] {
  const widths = [1];
  for (let width = 1; widths.length < ROWS; width *= 2) widths.push(width);
  return widths;
}

function rowOf(ns: Ns): number {
  if (ns < SUB_BUCKETS) return 0;
  const high = Math.floor(ns / 4_294_967_296);
  const exponent = high === 0 ? 31 - Math.clz32(ns) : 63 - Math.clz32(high);
  return exponent - 3;
}

function bucketOf(ns: Ns, row: number): number {
  return Math.floor(ns / WIDTHS[row]) - (row === 0 ? 0 : SUB_BUCKETS);
}

function upperBoundOf(row: number, bucket: number): Ns {
  return (bucket + 1 + (row === 0 ? 0 : SUB_BUCKETS)) * WIDTHS[row] - 1;
}
