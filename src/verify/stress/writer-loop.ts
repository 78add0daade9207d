import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { VERSION_WORD } from "../../shared/pvclock-page.js";
import { PAYLOAD_WORDS, type Protocol } from "../protocol.js";
import { callGuarded } from "./probe-protocol.js";
import { STOP, ThreadWord } from "./stress-memory.js";
import type { ThreadControl } from "./thread-control.js";
import type { FaultTrap } from "./thread-fault.js";
import { LATENCY_EVERY, type ThreadReport } from "./thread-task.js";
import { fillUpdate, leaveHalfWritten, MOST_STEALS, nextUpdate, stealOf, stealsAfter } from "./update-words.js";

/** One update in so many, a full one, finds its page as a writer that died would leave it, and has to repair it. */
const REPAIR_EVERY = 64;

export interface WriterParts {
  readonly protocol: Protocol;
  readonly pages: readonly Int32Array[];
  readonly control: ThreadControl;
  /** The protocol's write() mends a page that it finds half written; else it is never given one. */
  readonly repairs: boolean;
  readonly trap: FaultTrap | null;
}

/** Writes update after update, to each page in turn, until told to stop. */
export function runWriter(parts: WriterParts): ThreadReport {
  const writer = new Writer(parts);
  callGuarded(
    () => writer.calling,
    () => writer.writeUntilStopped(),
  );
  const { done, latency } = writer;
  return { role: "writer", done, latency, tallies: [], retryCounts: new Float64Array(0) };
}

class Writer {
  readonly latency: RecordableHistogram = createHistogram();
  done = 0;
  /** What the update at hand is written by. */
  calling: "write" | "writeSteal" = "write";
  readonly #parts: WriterParts;
  readonly #values = new Int32Array(PAYLOAD_WORDS);
  /** Of each page: its last full update, and how many of the steal alone have come after it, and are to come. */
  readonly #full: Int32Array;
  readonly #steals: Uint8Array;
  readonly #stealsDue: Uint8Array;
  #stealsInAll = 0;
  /** The last full update to any page. */
  #lastFull = 0;
  /** After so many updates the next full one has a page to repair. */
  #repairAt = REPAIR_EVERY - 1;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    const pageCount = parts.pages.length;
    this.#full = new Int32Array(pageCount);
    this.#steals = new Uint8Array(pageCount);
    // None before the first full update: what another writer left may be half of one.
    this.#stealsDue = new Uint8Array(pageCount);
  }

  /** Allocates nothing but what the clock does. */
  writeUntilStopped(): void {
    const { pages, control, trap } = this.#parts;
    let page = 0;
    while (control.command !== STOP) {
      const words = pages[page];
      if (this.#steals[page] < this.#stealsDue[page]) this.#prepareSteal(page);
      else this.#prepareFull(page, words);
      trap?.look(words);
      if (this.done % LATENCY_EVERY === 0) {
        const startNs = process.hrtime.bigint();
        this.#update(words);
        // A histogram takes nothing below 1.
        this.latency.record(Math.max(1, Number(process.hrtime.bigint() - startNs)));
      } else {
        this.#update(words);
      }
      this.done++;
      control.show(ThreadWord.Done, this.done);
      page = page + 1 === pages.length ? 0 : page + 1;
    }
  }

  #update(words: Int32Array): void {
    const { protocol } = this.#parts;
    if (this.calling === "write") protocol.write(words, this.#values);
    else protocol.writeSteal?.(words, this.#values[0]);
  }

  #prepareFull(page: number, words: Int32Array): void {
    const { protocol, repairs } = this.#parts;
    if (repairs && this.done >= this.#repairAt) {
      leaveHalfWritten(words, this.#full[page]);
      this.#repairAt = this.done + REPAIR_EVERY;
    }
    // With an accepted version to compare, an update is numbered by the version it closes with; this thread alone stores
    // the version: what it finds is what it, or the writer before it, left. Else full ones are counted, with room between
    // them for those of the steal alone.
    this.#lastFull =
      protocol.acceptedVersion !== undefined
        ? nextUpdate(Atomics.load(words, VERSION_WORD))
        : (this.#lastFull + MOST_STEALS + 1) | 0;
    this.#full[page] = this.#lastFull;
    this.#steals[page] = 0;
    if (protocol.writeSteal !== undefined) this.#stealsDue[page] = stealsAfter(this.#lastFull);
    fillUpdate(this.#values, this.#lastFull);
    this.calling = "write";
  }

  #prepareSteal(page: number): void {
    this.#steals[page]++;
    this.#values[0] = stealOf(this.#full[page], this.#steals[page]);
    this.#parts.control.show(ThreadWord.Steals, ++this.#stealsInAll);
    this.calling = "writeSteal";
  }
}
