import type { Ns } from "../shared/units.js";

/** Each power of two is divided into this many buckets, so a quantile errs by at most one part in 16. */
const SUB_BUCKETS = 16;
const BUCKETS = 54 * SUB_BUCKETS;

/**
 * A distribution of waiting times, in buckets that grow with the value. Ours, because one is needed per vCPU, up to 100,000
 * of them, and perf_hooks' histogram takes a native handle each. The maximum is exact.
 */
export class WaitHistogram {
  #counts: Uint32Array | null = null;
  #total = 0;
  maxNs: Ns = 0;

  record(ns: Ns): void {
    this.#counts ??= new Uint32Array(BUCKETS);
    this.#counts[bucketOf(ns)]++;
    this.#total++;
    if (ns > this.maxNs) this.maxNs = ns;
  }

  /** @param quantile 0 to 1 @returns an upper bound of the bucket that holds it, at most maxNs; 0 without records */
  quantileNs(quantile: number): Ns {
    if (this.#counts === null) return 0;
    let remaining = Math.max(1, Math.ceil(this.#total * quantile));
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      remaining -= this.#counts[bucket];
      if (remaining <= 0) return Math.min(this.maxNs, upperBoundOf(bucket));
    }
    return this.maxNs;
  }
}

function bucketOf(ns: Ns): number {
  if (ns < SUB_BUCKETS) return ns;
  const high = Math.floor(ns / 4_294_967_296);
  const exponent = high === 0 ? 31 - Math.clz32(ns) : 63 - Math.clz32(high);
  return (exponent - 3) * SUB_BUCKETS + Math.floor(ns / 2 ** (exponent - 4)) - SUB_BUCKETS;
}

function upperBoundOf(bucket: number): Ns {
  if (bucket < SUB_BUCKETS) return bucket;
  const exponent = Math.floor(bucket / SUB_BUCKETS) + 3;
  return ((bucket % SUB_BUCKETS) + SUB_BUCKETS + 1) * 2 ** (exponent - 4) - 1;
}
