import {
  FLAG_STEAL_MS,
  FLAG_STEAL_NS,
  flagsOf,
  SHIFT_AND_FLAGS_WORD,
  STEAL_MS_WORD,
  STEAL_NS_WORD,
} from "../../shared/pvclock-page.js";
import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";

/** What one guest CPU must find stolen, from the bytes of its page whenever it has to look. */
export class StealReckoning {
  readonly #ram: Int32Array;
  readonly #enabled: boolean;
  readonly #flag: number;
  readonly #nanoseconds: boolean;
  #base = -1;
  /** The page's steal when it was looked at last, in its unit; null when there was none to see. */
  #last: bigint | null = null;
  takenNs: Ns = 0;

  constructor(ram: Int32Array, { accounting, stealFeature, stealUnit }: Scenario) {
    this.#ram = ram;
    this.#enabled = accounting !== "none" && stealFeature;
    this.#nanoseconds = stealUnit === "ns";
    this.#flag = this.#nanoseconds ? FLAG_STEAL_NS : FLAG_STEAL_MS;
  }

  get active(): boolean {
    return this.#last !== null;
  }

  registered(base: number): void {
    this.#base = base;
    this.#last = null;
  }

  unregistered(): void {
    this.#base = -1;
    this.#last = null;
  }

  /** The guest looks at its page. @returns what is new since it looked last */
  take(): Ns {
    if (!this.#enabled || this.#base < 0) return 0;
    const before = this.#last;
    this.#last = this.#look();
    if (before === null || this.#last === null) return 0;
    const newNs = this.#nanoseconds
      ? BigInt.asUintN(64, this.#last - before)
      : BigInt.asUintN(32, this.#last - before) * 1_000_000n;
    this.takenNs += Number(newNs);
    return Number(newNs);
  }

  #look(): bigint | null {
    const word = (index: number): bigint => BigInt(Atomics.load(this.#ram, this.#base + index) >>> 0);
    if ((flagsOf(Number(word(SHIFT_AND_FLAGS_WORD))) & this.#flag) === 0) return null;
    return this.#nanoseconds ? word(STEAL_NS_WORD) + (word(STEAL_NS_WORD + 1) << 32n) : word(STEAL_MS_WORD);
  }
}
