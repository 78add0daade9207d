import type { AuditRing } from "./audit-ring.js";
import { PAGE_WORDS_NS } from "./pvclock-page.js";
import {
  clearGuestStopped,
  readPage,
  setGuestStopped,
  versionUnchanged,
  writePage,
  writeSteal,
} from "./version-protocol.js";

/**
 * The version protocol over one machine's guest RAM, as one thread uses it. Host and guests of a machine use the same
 * implementation: the two that there are make accesses of different size, which do not synchronise.
 */
export interface PageProtocol {
  /** What `write` writes: values[i] goes to word i; values[0] is not read. */
  readonly values: Int32Array;
  /** What `read` accepted last in this thread, words[0] its version; all 0 after giving up. */
  readonly words: Int32Array;
  /** Writes `values` as one update. @param base index of the version word @returns the new, even version */
  write(base: number, wordCount: number, audit: AuditRing | null): number;
  /** Writes an update that changes the steal in ms alone, of a page that is whole. @returns the new, even version */
  writeSteal(base: number, stealMs: number): number;
  /** Reads one consistent update into `words`. @returns the number of retries, or GAVE_UP */
  read(base: number, wordCount: number, maxRetries: number): number;
  versionUnchanged(base: number, version: number): boolean;
  setGuestStopped(base: number): void;
  /** @returns whether the bit was set */
  clearGuestStopped(base: number): boolean;
}

/** By JavaScript's Atomics on words of 32 bits: version-protocol.ts. */
export class AtomicsProtocol implements PageProtocol {
  readonly values = new Int32Array(PAGE_WORDS_NS);
  readonly words = new Int32Array(PAGE_WORDS_NS);
  readonly #ram: Int32Array;

  constructor(ram: Int32Array) {
    this.#ram = ram;
  }

  write(base: number, wordCount: number, audit: AuditRing | null): number {
    return writePage(this.#ram, base, this.values, wordCount, audit);
  }

  writeSteal(base: number, stealMs: number): number {
    return writeSteal(this.#ram, base, stealMs);
  }

  read(base: number, wordCount: number, maxRetries: number): number {
    return readPage(this.#ram, base, this.words, wordCount, maxRetries);
  }

  versionUnchanged(base: number, version: number): boolean {
    return versionUnchanged(this.#ram, base, version);
  }

  setGuestStopped(base: number): void {
    setGuestStopped(this.#ram, base);
  }

  clearGuestStopped(base: number): boolean {
    return clearGuestStopped(this.#ram, base);
  }
}
