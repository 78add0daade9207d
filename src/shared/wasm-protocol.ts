import type { AuditRing } from "./audit-ring.js";
import { StealclockError } from "./errors.js";
import type { PageProtocol } from "./page-protocol.js";
import { PAGE_WORDS_NS } from "./pvclock-page.js";
import type { U64 } from "./u64.js";
import type { Ns } from "./units.js";

/** A page of WebAssembly memory. */
const WASM_PAGE_BYTES = 65_536;

/** Scratch of one thread: a page's words to be written, and those that were read, each in a line of the cache. */
export const SCRATCH_BYTES = 128;
const READ_OFFSET = 64;
const RAW_NS_OFFSET = READ_OFFSET + 48;

type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The module's functions; addresses in bytes. */
interface Exports {
  closingVersion(page: number): number;
  writePage(page: number, values: number, bytes: number): number;
  writeSteal(page: number, stealMs: number): number;
  readPage(page: number, out: number, bytes: number, maxRetries: number): number;
  versionUnchanged(page: number, version: number): number;
  setGuestStopped(page: number): void;
  clearGuestStopped(page: number): number;
  kvmclockNs(page: number, words: number, cyclesLow: number, cyclesHigh: number, lastValue: number): number;
  raiseLastValue(words: number, lastValue: number, ns: number): number;
}

/**
 * The version protocol as version-protocol.ts has it, by assembly/version-protocol.ts: for the same pages the same bytes, by
 * accesses of 64 bits where a field has 64. Both sides of a page must use the same of the two, since accesses of unequal
 * size never synchronise. One object for each thread, over memory that all share.
 */
export class WasmProtocol implements PageProtocol {
  /** What `write` writes: values[i] goes to word i. */
  readonly values: Int32Array;
  /** What `read` accepted, words[0] its version; all 0 after giving up. */
  readonly words: Int32Array;
  // V8 compiles a call into the module in place where it knows the function: as it does one that a field has held from the
  // first. Fields by # it does not look at so.
  private readonly closingVersionAt: Exports["closingVersion"];
  private readonly writePageAt: Exports["writePage"];
  private readonly writeStealAt: Exports["writeSteal"];
  private readonly readPageAt: Exports["readPage"];
  private readonly versionUnchangedAt: Exports["versionUnchanged"];
  private readonly setGuestStoppedAt: Exports["setGuestStopped"];
  private readonly clearGuestStoppedAt: Exports["clearGuestStopped"];
  private readonly kvmclockNsAt: Exports["kvmclockNs"];
  private readonly raiseLastValueAt: Exports["raiseLastValue"];
  private readonly rawNsCell: Float64Array;
  private readonly valuesByte: number;
  private readonly wordsByte: number;

  /** @param imports what else the module asks for; the one that ships asks for nothing @param scratchByte where in memory this thread has SCRATCH_BYTES of its own, beyond guest RAM; 64-byte aligned */
  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, scratchByte: number, imports: Imports = {}) {
    const instance = new WebAssembly.Instance(module, { env: { memory }, ...imports });
    const exports = instance.exports as Exports;
    this.closingVersionAt = exports.closingVersion;
    this.writePageAt = exports.writePage;
    this.writeStealAt = exports.writeSteal;
    this.readPageAt = exports.readPage;
    this.versionUnchangedAt = exports.versionUnchanged;
    this.setGuestStoppedAt = exports.setGuestStopped;
    this.clearGuestStoppedAt = exports.clearGuestStopped;
    this.kvmclockNsAt = exports.kvmclockNs;
    this.raiseLastValueAt = exports.raiseLastValue;
    this.valuesByte = scratchByte;
    this.wordsByte = scratchByte + READ_OFFSET;
    this.values = new Int32Array(memory.buffer, this.valuesByte, PAGE_WORDS_NS);
    this.words = new Int32Array(memory.buffer, this.wordsByte, PAGE_WORDS_NS);
    this.rawNsCell = new Float64Array(memory.buffer, scratchByte + RAW_NS_OFFSET, 1);
  }

  /**
   * Writes `values` as one update. It is noted for the audit beforehand: this thread alone writes the page, and so knows the
   * version with which it will close.
   *
   * @param base index of the page's version word
   * @returns the new, even version
   */
  write(base: number, wordCount: number, audit: AuditRing | null): number {
    const page = base * 4;
    if (audit !== null) audit.record(this.closingVersionAt(page), this.values, wordCount);
    return this.writePageAt(page, this.valuesByte, wordCount * 4);
  }

  /**
   * Writes an update that changes the steal in ms alone, of a page that is whole: one store, without an odd phase.
   *
   * @returns the new, even version
   */
  writeSteal(base: number, stealMs: number): number {
    return this.writeStealAt(base * 4, stealMs);
  }

  /** Reads one consistent update into `words`. @returns the number of retries, or GAVE_UP */
  read(base: number, wordCount: number, maxRetries: number): number {
    return this.readPageAt(base * 4, this.wordsByte, wordCount * 4, maxRetries);
  }

  versionUnchanged(base: number, version: number): boolean {
    return this.versionUnchangedAt(base * 4, version) !== 0;
  }

  setGuestStopped(base: number): void {
    this.setGuestStoppedAt(base * 4);
  }

  /** @returns whether the bit was set */
  clearGuestStopped(base: number): boolean {
    return this.clearGuestStoppedAt(base * 4) !== 0;
  }

  /** What clockNs found last, before the guard. */
  get rawNs(): Ns {
    return this.rawNsCell[0];
  }

  /**
   * The guest's clock by the words read last and a TSC read since: assembly/kvmclock.ts.
   *
   * @param lastValueWord where in RAM the guard's 64 bits are, as an index of words; even
   * @returns ns, or -1 when the page has another version by now
   */
  clockNs(base: number, cycles: U64, lastValueWord: number): Ns {
    return this.kvmclockNsAt(base * 4, this.wordsByte, cycles.low, cycles.high, lastValueWord * 4);
  }

  /** The guard of clockNs alone. @returns ns, or the largest value that it let pass before if that is more */
  raiseLastValue(lastValueWord: number, ns: Ns): Ns {
    return this.raiseLastValueAt(this.wordsByte, lastValueWord * 4, ns);
  }
}

/**
 * Memory for so many bytes of guest RAM and the scratch of so many threads, which comes after it.
 *
 * @throws StealclockError "unsupported" when there is no room: V8 reserves some GB of addresses behind each such memory, so
 *   that it needs no bounds checks, and a process may be allowed less (ulimit -v)
 */
export function wasmMemory(ramBytes: number, threads: number): { memory: WebAssembly.Memory; scratchByte: number } {
  const scratchByte = Math.ceil(ramBytes / SCRATCH_BYTES) * SCRATCH_BYTES;
  const pages = Math.ceil((scratchByte + threads * SCRATCH_BYTES) / WASM_PAGE_BYTES);
  // A shared memory that could grow would not be one block that every thread sees whole.
  try {
    return { memory: new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }), scratchByte };
  } catch (error) {
    throw new StealclockError(
      "unsupported",
      `no room for ${pages * WASM_PAGE_BYTES} bytes of WebAssembly memory and the addresses that V8 reserves with it: ${String(error)}`,
    );
  }
}
