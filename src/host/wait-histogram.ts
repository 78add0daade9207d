import type { Ns } from "../shared/units.js";

/** Each power of two is divided into this many buckets, so a quantile errs by at most one part in 16. */
const SUB_BUCKETS = 16;
/** Values below 16 have a row of buckets, and so has each power of two from 2^4 to 2^53. */
const ROWS = 51;
/** The width of a row's buckets: 1, 1, 2, 4 and so on. */
const WIDTHS = widthsOfRows();

/**
 * Distributions of waiting times, one for each of up to 100,000 vCPUs, in buckets that grow with the value. Ours, because
 * perf_hooks' histogram takes a native handle each. A row of buckets is taken from a common pool when a value first falls
 * into it, since most vCPUs meet few powers of two; so to record is to touch three places in memory, however many vCPUs
 * there are. Maxima are exact.
 */
export class WaitHistograms {
  /** For each histogram, where each of its rows starts in the pool; 0 while it has none. */
  readonly #rowStarts: Int32Array;
  #pool = new Uint32Array(SUB_BUCKETS);
  #used = SUB_BUCKETS;
  readonly #maxNs: Float64Array;

  constructor(count: number) {
    this.#rowStarts = new Int32Array(count * ROWS);
    this.#maxNs = new Float64Array(count);
  }

  record(histogram: number, ns: Ns): void {
    const row = rowOf(ns);
    const place = histogram * ROWS + row;
    if (this.#rowStarts[place] === 0) this.#rowStarts[place] = this.#takeRow();
    this.#pool[this.#rowStarts[place] + bucketOf(ns, row)]++;
    if (ns > this.#maxNs[histogram]) this.#maxNs[histogram] = ns;
  }

  maxNs(histogram: number): Ns {
    return this.#maxNs[histogram];
  }

  /** @param quantile 0 to 1 @returns an upper bound of the bucket that holds it, at most maxNs; 0 without records */
  quantileNs(histogram: number, quantile: number): Ns {
    let remaining = Math.max(1, Math.ceil(this.#total(histogram) * quantile));
    for (let row = 0; row < ROWS; row++) {
      const start = this.#rowStarts[histogram * ROWS + row];
      if (start === 0) continue;
      for (let bucket = 0; bucket < SUB_BUCKETS; bucket++) {
        remaining -= this.#pool[start + bucket];
        if (remaining <= 0) return Math.min(this.#maxNs[histogram], upperBoundOf(row, bucket));
      }
    }
    return this.#maxNs[histogram];
  }

  #total(histogram: number): number {
    let total = 0;
    for (let row = 0; row < ROWS; row++) {
      const start = this.#rowStarts[histogram * ROWS + row];
      if (start === 0) continue;
      for (let bucket = 0; bucket < SUB_BUCKETS; bucket++) total += this.#pool[start + bucket];
    }
    return total;
  }

  #takeRow(): number {
    const start = this.#used;
    this.#used += SUB_BUCKETS;
    if (this.#used > this.#pool.length) {
      const larger = new Uint32Array(2 * this.#used);
      larger.set(this.#pool);
      this.#pool = larger;
    }
    return start;
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
