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
import { CpuState, Slot } from "./cpu-state.js";
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
    return this.#cpu.numbers[this.#cpu.base + Slot.StealActive] !== 0;
  }

  set active(value: boolean) {
    this.#cpu.numbers[this.#cpu.base + Slot.StealActive] = value ? 1 : 0;
  }

  /** All that takeNs ever handed out. */
  get takenNs(): Ns {
    return this.#cpu.numbers[this.#cpu.base + Slot.StealTaken];
  }

  set takenNs(value: Ns) {
    this.#cpu.numbers[this.#cpu.base + Slot.StealTaken] = value;
  }

  get #enabled(): boolean {
    return this.#cpu.numbers[this.#cpu.base + Slot.StealEnabled] !== 0;
  }

  set #enabled(value: boolean) {
    this.#cpu.numbers[this.#cpu.base + Slot.StealEnabled] = value ? 1 : 0;
  }

  /** The last value read: two halves. */
  get #lastHigh(): number {
    return this.#cpu.numbers[this.#cpu.base + Slot.StealHigh];
  }

  set #lastHigh(value: number) {
    this.#cpu.numbers[this.#cpu.base + Slot.StealHigh] = value;
  }

  get #lastLow(): number {
    return this.#cpu.numbers[this.#cpu.base + Slot.StealLow];
  }

  set #lastLow(value: number) {
    this.#cpu.numbers[this.#cpu.base + Slot.StealLow] = value;
  }

  /** Of the stretch that goes on; no version while nothing was read. */
  get #stretchBase(): number {
    return this.#cpu.numbers[this.#cpu.base + Slot.StretchBase];
  }

  set #stretchBase(value: number) {
    this.#cpu.numbers[this.#cpu.base + Slot.StretchBase] = value;
  }

  get #firstVersion(): number {
    return this.#cpu.numbers[this.#cpu.base + Slot.StretchFirstVersion];
  }

  set #firstVersion(value: number) {
    this.#cpu.numbers[this.#cpu.base + Slot.StretchFirstVersion] = value;
  }

  get #lastVersion(): number {
    return this.#cpu.numbers[this.#cpu.base + Slot.StealVersion];
  }

  set #lastVersion(value: number) {
    this.#cpu.numbers[this.#cpu.base + Slot.StealVersion] = value;
  }

  get #takenBeforeNs(): Ns {
    return this.#cpu.numbers[this.#cpu.base + Slot.StretchTakenBefore];
  }

  set #takenBeforeNs(value: Ns) {
    this.#cpu.numbers[this.#cpu.base + Slot.StretchTakenBefore] = value;
  }

  /** One for each baseline: what was stolen between two of them is nobody's. For whoever keeps a log of the page. */
  get stretches(): readonly StealStretch[] {
    const ended = this.#cpu.endedStretches.get(this.#cpu.cpu) ?? [];
    if (this.#lastVersion === 0) return ended;
    const takenNs = this.takenNs - this.#takenBeforeNs;
    return [...ended, { base: this.#stretchBase, firstVersion: this.#firstVersion, lastVersion: this.#lastVersion, takenNs }];
  }

  /** Starts from what the page holds now. */
  enable(): void {
    this.#enabled = true;
    this.active = false;
    this.takeNs();
  }

  /** Stops: before the CPU goes offline, and when the guest has no page. */
  disable(): void {
    this.#enabled = false;
    this.active = false;
  }

  /** New time out of guest since the last call; 0 while disabled, without the flag, or when the read gave up. */
  takeNs(): Ns {
    if (!this.#enabled || !this.#reader.read(this.#page)) return 0;
    const words = this.#reader.words;
    const flag = this.#nanoseconds ? FLAG_STEAL_NS : FLAG_STEAL_MS;
    if ((flagsOf(words[SHIFT_AND_FLAGS_WORD]) & flag) === 0) {
      this.active = false;
      return 0;
    }
    if (this.#nanoseconds) this.#value.set(words[STEAL_NS_WORD + 1], words[STEAL_NS_WORD]);
    else this.#value.set(0, words[STEAL_MS_WORD]);
    return this.#advance(words[VERSION_WORD]);
  }

  #advance(version: number): Ns {
    const takenNs = this.active ? this.#differenceNs() : this.#baseline(version);
    this.#lastHigh = this.#value.high;
    this.#lastLow = this.#value.low;
    this.#lastVersion = version;
    this.takenNs += takenNs;
    return takenNs;
  }

  #baseline(version: number): Ns {
    if (this.#lastVersion !== 0) this.#cpu.endedStretches.set(this.#cpu.cpu, this.stretches);
    this.#stretchBase = this.#page.base;
    this.#firstVersion = version;
    this.#takenBeforeNs = this.takenNs;
    this.active = true;
    return 0;
  }

  /** Modulo the width of the field: right as long as less than 49.71 days were stolen between two reads. */
  #differenceNs(): Ns {
    if (!this.#nanoseconds) return ((this.#value.low - this.#lastLow) >>> 0) * NS_PER_MS;
    return LAST.set(this.#lastHigh, this.#lastLow).subtractFrom(this.#value).toNumber();
  }
}
