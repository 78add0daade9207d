import {
  FLAG_STEAL_MS,
  FLAG_STEAL_NS,
  flagsOf,
  SHIFT_AND_FLAGS_WORD,
  STEAL_MS_WORD,
  STEAL_NS_WORD,
  VERSION_WORD,
} from "../shared/pvclock-page.js";
import { U64 } from "../shared/u64.js";
import { NS_PER_MS, type Ns } from "../shared/units.js";
import { CpuState } from "./cpu-state.js";
import type { PageLocation, PageReader } from "./page-reader.js";
import type { StealStretch } from "./steal-stretch.js";

/** Scratch of this thread. */
const VALUE = new U64();
const LAST = new U64();

/**
 * How much of its time the host took, as the page says it: the RFC's patch 5. Hands out differences; their sum is what
 * the accounting and the watchdog work with.
 *
 * The flag is checked at every read, so a guest moved to a host without the feature stops accounting steal; when the
 * flag comes back, the value found then is a new baseline and not a difference.
 */
export class StealClock {
  readonly #reader: PageReader;
  readonly #page: PageLocation;
  readonly #nanoseconds: boolean;
  readonly #value = VALUE;
  readonly #cpu: CpuState;

  /** @param nanoseconds whether to use the 64-bit extension instead of the RFC's 32-bit ms */
  constructor(reader: PageReader, page: PageLocation, nanoseconds: boolean, cpu = new CpuState()) {
    this.#reader = reader;
    this.#page = page;
    this.#nanoseconds = nanoseconds;
    this.#cpu = cpu;
  }

  /** The last read carried the steal flag. */
  get active(): boolean {
    return this.#cpu.stealActive;
  }

  /** All that takeNs ever handed out. */
  get takenNs(): Ns {
    return this.#cpu.stealTakenNs;
  }

  /** One for each baseline: what was stolen between two of them is nobody's. For whoever keeps a log of the page. */
  get stretches(): readonly StealStretch[] {
    const { stealVersion, stealTakenNs } = this.#cpu;
    const { endedStretches, stretchBase, stretchFirstVersion, takenBeforeStretchNs } = this.#cpu.rare;
    if (stealVersion === 0) return endedStretches;
    const stretch = { base: stretchBase, firstVersion: stretchFirstVersion, lastVersion: stealVersion };
    return [...endedStretches, { ...stretch, takenNs: stealTakenNs - takenBeforeStretchNs }];
  }

  /** Starts from what the page holds now. */
  enable(): void {
    this.#cpu.stealEnabled = true;
    this.#cpu.stealActive = false;
    this.takeNs();
  }

  /** Stops: before the CPU goes offline, and when the guest has no page. */
  disable(): void {
    this.#cpu.stealEnabled = false;
    this.#cpu.stealActive = false;
  }

  /** New time out of guest since the last call; 0 while disabled, without the flag, or when the read gave up. */
  takeNs(): Ns {
    if (!this.#cpu.stealEnabled || !this.#reader.read(this.#page)) return 0;
    const words = this.#reader.words;
    const flag = this.#nanoseconds ? FLAG_STEAL_NS : FLAG_STEAL_MS;
    if ((flagsOf(words[SHIFT_AND_FLAGS_WORD]) & flag) === 0) {
      this.#cpu.stealActive = false;
      return 0;
    }
    if (this.#nanoseconds) this.#value.set(words[STEAL_NS_WORD + 1], words[STEAL_NS_WORD]);
    else this.#value.set(0, words[STEAL_MS_WORD]);
    return this.#advance(words[VERSION_WORD]);
  }

  #advance(version: number): Ns {
    const cpu = this.#cpu;
    const takenNs = cpu.stealActive ? this.#differenceNs() : this.#baseline(version);
    cpu.stealHigh = this.#value.high;
    cpu.stealLow = this.#value.low;
    cpu.stealVersion = version;
    cpu.stealTakenNs += takenNs;
    return takenNs;
  }

  #baseline(version: number): Ns {
    const { rare, stealVersion, stealTakenNs } = this.#cpu;
    if (stealVersion !== 0) rare.endedStretches = this.stretches;
    rare.stretchBase = this.#page.base;
    rare.stretchFirstVersion = version;
    rare.takenBeforeStretchNs = stealTakenNs;
    this.#cpu.stealActive = true;
    return 0;
  }

  /** Modulo the width of the field: right as long as less than 49.71 days were stolen between two reads. */
  #differenceNs(): Ns {
    const { stealHigh, stealLow } = this.#cpu;
    if (!this.#nanoseconds) return ((this.#value.low - stealLow) >>> 0) * NS_PER_MS;
    return LAST.set(stealHigh, stealLow).subtractFrom(this.#value).toNumber();
  }
}
