import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { VERSION_WORD } from "../../shared/pvclock-page.js";
import { GAVE_UP } from "../../shared/version-protocol.js";
import { PAYLOAD_WORDS, type Protocol } from "../protocol.js";
import { callGuarded, checkedRetries } from "./probe-protocol.js";
import { emptyTally, type ReadTally } from "./read-tally.js";
import { PHASES, STOP, ThreadWord } from "./stress-memory.js";
import type { ThreadControl } from "./thread-control.js";
import type { FaultTrap } from "./thread-fault.js";
import { LATENCY_EVERY, type ThreadReport } from "./thread-task.js";
import { isOneUpdate, stealsIn, updateOf, versionOf } from "./update-words.js";

export interface ReaderParts {
  readonly protocol: Protocol;
  readonly pages: readonly Int32Array[];
  readonly control: ThreadControl;
  /** The page to begin with: readers spread over the pages. */
  readonly firstPage: number;
  readonly maxRetries: number;
  readonly trap: FaultTrap | null;
}

/** Reads page after page until told to stop, and judges every single read. */
export function runReader(parts: ReaderParts): ThreadReport {
  const reader = new Reader(parts);
  callGuarded("read", () => reader.readUntilStopped());
  const { reads, latency, tallies, retryCounts } = reader;
  return { role: "reader", done: reads, latency, tallies, retryCounts };
}

class Reader {
  readonly latency: RecordableHistogram = createHistogram();
  readonly tallies: readonly ReadTally[] = Array.from({ length: PHASES }, emptyTally);
  readonly retryCounts: Float64Array;
  reads = 0;
  readonly #parts: ReaderParts;
  readonly #out = new Int32Array(PAYLOAD_WORDS);
  #phase = 0;
  #gaveUp = 0;
  #overlaps = 0;
  #stealsMet = 0;
  #torn = 0;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.retryCounts = new Float64Array(parts.maxRetries + 1);
  }

  /** Allocates nothing but what the clock does. */
  readUntilStopped(): void {
    const { pages, control, firstPage, trap } = this.#parts;
    let page = firstPage % pages.length;
    this.#phase = control.command;
    while (control.command !== STOP) {
      const words = pages[page];
      page = page + 1 === pages.length ? 0 : page + 1;
      trap?.look(words);
      this.#readOnce(words);
      control.show(ThreadWord.Done, this.reads);
    }
  }

  #readOnce(words: Int32Array): void {
    const { protocol, control, maxRetries } = this.#parts;
    this.reads++;
    // The harness's own two looks: whatever the read makes of it, was the writer at work meanwhile? The first stands
    // before all accesses of the read and the second after them, as every access through Atomics keeps its place. To a page
    // of 64-bit fields they are of another size, between which ECMAScript promises no order; a processor does, in one
    // thread, and what it may cost is a count: no verdict on a read rests on them.
    const before = Atomics.load(words, VERSION_WORD);
    const returned =
      this.reads % LATENCY_EVERY === 0 ? this.#timedRead(words) : protocol.read(words, this.#out, maxRetries);
    const after = Atomics.load(words, VERSION_WORD);
    const retries = checkedRetries(returned, maxRetries);
    const tally = this.#tallyNow();
    tally.reads++;
    const metTheWriter = this.#noteOverlap(tally, before, after, retries);
    if (retries === GAVE_UP) {
      tally.gaveUp++;
      control.show(ThreadWord.GaveUp, ++this.#gaveUp);
    } else if (!this.#isWhole()) {
      if (tally.torn === 0) tally.firstTearAtRead = this.reads;
      tally.torn++;
      control.show(ThreadWord.Torn, ++this.#torn);
    } else if (metTheWriter && stealsIn(this.#out) > 0) {
      tally.stealsMet++;
      control.show(ThreadWord.StealsMet, ++this.#stealsMet);
    }
    const tries = retries === GAVE_UP ? maxRetries : retries;
    tally.retries += tries;
    this.retryCounts[tries]++;
  }

  /** Of the phase in which a read ended: one that began while the writer was dead may be served by the next. */
  #tallyNow(): ReadTally {
    const phase = this.#parts.control.command;
    if (phase !== STOP) this.#phase = phase;
    return this.tallies[this.#phase];
  }

  #timedRead(words: Int32Array): number {
    const { protocol, maxRetries } = this.#parts;
    const startNs = process.hrtime.bigint();
    const returned = protocol.read(words, this.#out, maxRetries);
    // A histogram takes nothing below 1.
    this.latency.record(Math.max(1, Number(process.hrtime.bigint() - startNs)));
    return returned;
  }

  /** @returns whether the read met the writer at work */
  #noteOverlap(tally: ReadTally, before: number, after: number, retries: number): boolean {
    const isOdd = ((before | after) & 1) !== 0;
    if (isOdd) tally.oddSeen++;
    if (before !== after) tally.changedSeen++;
    if (!isOdd && before === after && retries === 0) return false;
    this.#parts.control.show(ThreadWord.Overlaps, ++this.#overlaps);
    return true;
  }

  #isWhole(): boolean {
    if (!isOneUpdate(this.#out)) return false;
    const { protocol } = this.#parts;
    if (protocol.acceptedVersion === undefined) return true;
    return versionOf(updateOf(this.#out)) === (protocol.acceptedVersion() | 0);
  }
}
