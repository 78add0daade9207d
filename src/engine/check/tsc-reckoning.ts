import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

/** What the machine's TSC must count, from the frequencies that its scenario says. In BigInt: slow, and short enough to believe. */
export class TscReckoning {
  /** The frequencies that are still to come. */
  readonly #later: number[];
  #tscKhz: number;
  #changedAt: Ns = 0;
  #cyclesAtChange = 0n;

  constructor({ tscKhz, timeline }: Scenario) {
    this.#tscKhz = tscKhz;
    this.#later = timeline.flatMap((event) => (event.kind === "migrate" ? [event.tscKhz] : []));
  }

  /** ns of one cycle, rounded up. */
  get cycleNs(): Ns {
    return Math.ceil(1_000_000 / this.#tscKhz);
  }

  cyclesAt(now: Ns): bigint {
    return this.#cyclesAtChange + (BigInt(now - this.#changedAt) * BigInt(this.#tscKhz)) / NS_PER_MS;
  }

  /** The machine has been moved. */
  moved(now: Ns): void {
    this.#cyclesAtChange = this.cyclesAt(now);
    this.#changedAt = now;
    this.#tscKhz = this.#later.shift() ?? this.#tscKhz;
  }

  /** Whether a page's multiplier and shift make a second of a second's cycles, to the ns, and never more than that. */
  isRate(multiplier: number, shift: number): boolean {
    const cycles = BigInt(this.#tscKhz) * 1000n;
    const shifted = shift < 0 ? cycles >> BigInt(-shift) : cycles << BigInt(shift);
    const ns = (shifted * BigInt(multiplier)) >> 32n;
    // A multiplier errs by one part in 2^31, a shift to the right drops less than one of at least 2^30 cycles.
    return ns <= NS_PER_SECOND && NS_PER_SECOND - ns <= 3n;
  }
}
