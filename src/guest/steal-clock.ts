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
import type { PageLocation, PageReader } from "./page-reader.js";

/** What was taken without a break, from the version of the baseline to that of the last read that carried the flag. */
export interface StealStretch {
  /** Index of the page's version word. */
  readonly base: number;
  readonly firstVersion: number;
  lastVersion: number;
  takenNs: Ns;
}

/**
 * How much of its time the host took, as the page says it: the RFC's patch 5. Hands out differences; their sum is what
 * the accounting and the watchdog work with.
 *
 * The flag is checked at every read, so a guest moved to a host without the feature stops accounting steal; when the
 * flag comes back, the value found then is a new baseline and not a difference.
 */
export class StealClock {
  readonly #reader: PageReader;
  readonly #nanoseconds: boolean;
  readonly #value = new U64();
  readonly #last = new U64();
  #page: PageLocation | null = null;

  /** The last read carried the steal flag. */
  active = false;
  /** All that takeNs ever handed out. */
  takenNs: Ns = 0;
  /** One for each baseline: what was stolen between two of them is nobody's. For whoever keeps a log of the page. */
  readonly stretches: StealStretch[] = [];
  #stretch: StealStretch = { base: 0, firstVersion: 0, lastVersion: 0, takenNs: 0 };

  /** @param nanoseconds whether to use the 64-bit extension instead of the RFC's 32-bit ms */
  constructor(reader: PageReader, nanoseconds: boolean) {
    this.#reader = reader;
    this.#nanoseconds = nanoseconds;
  }

  /** Starts from what the page holds now. */
  enable(page: PageLocation): void {
    this.#page = page;
    this.active = false;
    this.takeNs();
  }

  /** Stops: before the CPU goes offline, and when the guest has no page. */
  disable(): void {
    this.#page = null;
    this.active = false;
  }

  /** New time out of guest since the last call; 0 while disabled, without the flag, or when the read gave up. */
  takeNs(): Ns {
    if (this.#page === null || !this.#reader.read(this.#page)) return 0;
    const words = this.#reader.words;
    const flag = this.#nanoseconds ? FLAG_STEAL_NS : FLAG_STEAL_MS;
    if ((flagsOf(words[SHIFT_AND_FLAGS_WORD]) & flag) === 0) {
      this.active = false;
      return 0;
    }
    if (this.#nanoseconds) this.#value.set(words[STEAL_NS_WORD + 1], words[STEAL_NS_WORD]);
    else this.#value.set(0, words[STEAL_MS_WORD]);
    return this.#advance(this.#page, words[VERSION_WORD]);
  }

  #advance(page: PageLocation, version: number): Ns {
    const takenNs = this.active ? this.#differenceNs() : this.#baseline(page, version);
    this.#last.copy(this.#value);
    this.#stretch.lastVersion = version;
    this.#stretch.takenNs += takenNs;
    this.takenNs += takenNs;
    return takenNs;
  }

  #baseline({ base }: PageLocation, version: number): Ns {
    this.#stretch = { base, firstVersion: version, lastVersion: version, takenNs: 0 };
    this.stretches.push(this.#stretch);
    this.active = true;
    return 0;
  }

  /** Modulo the width of the field: right as long as less than 49.71 days were stolen between two reads. */
  #differenceNs(): Ns {
    if (!this.#nanoseconds) return ((this.#value.low - this.#last.low) >>> 0) * NS_PER_MS;
    return this.#last.subtractFrom(this.#value).toNumber();
  }
}
