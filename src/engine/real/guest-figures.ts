import type { CpuTime } from "../../guest/accounting/cpu-time.js";
import { storeWords, U64 } from "../../shared/u64.js";
import type { Ns } from "../../shared/units.js";
import { GAVE_UP, readPage, writePage } from "../../shared/version-protocol.js";
import { idleInProgressNs } from "../idle-in-progress.js";
import type { VcpuSample } from "../result.js";

/**
 * A guest CPU's figures as another thread may see them: a block of shared words under the version protocol. Each is 64 bits,
 * low half first. Word 7 is left out: writePage keeps one bit of it for the guest.
 */
const USER_WORD = 1;
const SYSTEM_WORD = 3;
const IDLE_WORD = 5;
const STEAL_WORD = 8;
/** While the CPU is idle: the first tick deadline not accounted yet; 0 while it is not. */
const IDLE_SINCE_WORD = 10;
const WORD_COUNT = 12;

/** Fresh enough for a sample, and the next one is not far. */
const MAX_RETRIES = 100;

/** The guest's end: one per vCPU thread. */
export class GuestFiguresWriter {
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #values = new Int32Array(WORD_COUNT);

  constructor(words: Int32Array, base: number) {
    this.#words = words;
    this.#base = base;
  }

  /** @param idleSinceNs the first tick deadline in idle; 0 while not idle */
  publish({ userNs, systemNs, idleNs, stealNs }: CpuTime, idleSinceNs: Ns): void {
    storeWords(this.#values, USER_WORD, userNs);
    storeWords(this.#values, SYSTEM_WORD, systemNs);
    storeWords(this.#values, IDLE_WORD, idleNs);
    storeWords(this.#values, STEAL_WORD, stealNs);
    storeWords(this.#values, IDLE_SINCE_WORD, idleSinceNs);
    writePage(this.#words, this.#base, this.#values, WORD_COUNT, null);
  }
}

/** The sampling end: one for all vCPUs. */
export class GuestFiguresReader {
  readonly #words: Int32Array;
  readonly #tickNsec: Ns;
  readonly #values = new Int32Array(WORD_COUNT);
  readonly #value = new U64();

  constructor(words: Int32Array, tickNsec: Ns) {
    this.#words = words;
    this.#tickNsec = tickNsec;
  }

  /** Figures as they stand, idle time in progress included, as /proc/stat shows it; null when they can't be read now. */
  read(base: number, now: Ns): VcpuSample["guest"] | null {
    if (readPage(this.#words, base, this.#values, WORD_COUNT, MAX_RETRIES) === GAVE_UP) return null;
    return {
      userNs: this.#at(USER_WORD),
      systemNs: this.#at(SYSTEM_WORD),
      idleNs: this.#at(IDLE_WORD) + idleInProgressNs(this.#at(IDLE_SINCE_WORD), now, this.#tickNsec),
      stealNs: this.#at(STEAL_WORD),
    };
  }

  #at(word: number): Ns {
    return this.#value.set(this.#values[word + 1], this.#values[word]).toNumber();
  }
}
