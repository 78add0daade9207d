const SAMPLES = 256;

/** The median of the last 256 measurements: one that was interrupted by the machine does not move it. */
export class CostMeter {
  readonly #samples = new Float64Array(SAMPLES);
  #count = 0;

  record(ns: number): void {
    this.#samples[this.#count % SAMPLES] = ns;
    this.#count++;
  }

  /** The median, or null without measurements. */
  get medianNs(): number | null {
    if (this.#count === 0) return null;
    const sorted = this.#samples.slice(0, Math.min(this.#count, SAMPLES)).sort();
    return sorted[sorted.length >> 1];
  }
}
