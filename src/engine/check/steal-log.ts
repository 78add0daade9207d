import type { Ns } from "../../shared/units.js";

/** Changes that are kept. A guest that accepted a version reads again within a tick or a halt, long before this many. */
const MAX_KEPT_CHANGES = 8_192;
const MIN_KEPT_CHANGES = 64;
/** Of a large machine, the pages share this many. */
const KEPT_CHANGES_IN_ALL = 4_194_304;

/**
 * What the host should have written to one vCPU's page: for each version the steal, by the checker's figures. Only changes are
 * kept, the latest of them.
 */
export class StealLog {
  readonly #versions: number[] = [];
  readonly #bases: number[] = [];
  readonly #stealNs: Ns[] = [];
  readonly #stealAtStartNs: Ns;
  readonly #kept: number;
  #changes = 0;
  #baselineNs: Ns = 0;
  #everStarted = false;

  /** The first update since the latest registration. */
  #firstVersion = 0;
  #firstStealNs: Ns = 0;

  base = -1;
  /** What stood in the version word before the first update. */
  firstFoundVersion = 0;
  /** Since the page was registered last, and in all. */
  updates = 0;
  updatesInAll = 0;
  lastVersion = 0;
  lastStealNs: Ns = 0;
  /** The host that wrote the last update offers steal time: its field is no padding. */
  lastOffered = false;

  /** @param stealAtStartNs what the page counts from @param logs how many of these there are */
  constructor(stealAtStartNs: Ns, logs: number) {
    this.#stealAtStartNs = stealAtStartNs;
    this.lastStealNs = stealAtStartNs;
    this.#kept = Math.max(MIN_KEPT_CHANGES, Math.min(MAX_KEPT_CHANGES, Math.floor(KEPT_CHANGES_IN_ALL / logs)));
  }

  /** What a guest could take by now that missed nothing since the first registration. @param unitNs of the field that it reads */
  takeableNs(unitNs: Ns): Ns {
    const unitsAtStart = Math.floor(this.#stealAtStartNs / unitNs);
    return (Math.floor(this.lastStealNs / unitNs) - unitsAtStart) * unitNs;
  }

  /** A page is registered. @param publishableNs the measure at that instant: steal counts from the first one on */
  start(base: number, foundVersion: number, publishableNs: Ns): void {
    if (!this.#everStarted) this.#baselineNs = publishableNs - this.#stealAtStartNs;
    this.#everStarted = true;
    this.base = base;
    this.firstFoundVersion = foundVersion;
    this.updates = 0;
  }

  add(version: number, publishableNs: Ns, offered: boolean): void {
    this.lastOffered = offered;
    const stealNs = publishableNs - this.#baselineNs;
    if (this.updates === 0) {
      this.#firstVersion = version;
      this.#firstStealNs = stealNs;
    }
    if (this.updates === 0 || stealNs !== this.lastStealNs) {
      const slot = this.#changes % this.#kept;
      this.#versions[slot] = version;
      this.#bases[slot] = this.base;
      this.#stealNs[slot] = stealNs;
      this.#changes++;
    }
    this.updates++;
    this.updatesInAll++;
    this.lastVersion = version;
    this.lastStealNs = stealNs;
  }

  /**
   * The steal of the update with this version, or null when it is no longer kept.
   *
   * @param base where the page was: another one has versions of its own
   */
  stealAt(version: number, base: number): Ns | null {
    const oldest = Math.max(0, this.#changes - this.#kept);
    for (let change = this.#changes - 1; change >= oldest; change--) {
      const slot = change % this.#kept;
      // By distance, not by size: versions wrap.
      if (this.#bases[slot] === base && ((version - this.#versions[slot]) | 0) >= 0) return this.#stealNs[slot];
    }
    return version === this.#firstVersion && base === this.base ? this.#firstStealNs : null;
  }

  /** The version that the page must hold after all updates: a page found odd is closed by its first one. */
  get expectedVersion(): number {
    const even = (this.firstFoundVersion & 1) === 0 ? this.firstFoundVersion : this.firstFoundVersion + 1;
    return (even + 2 * this.updates) | 0;
  }
}
