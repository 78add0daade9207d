import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { protocolOf } from "../../src/shared/machine-memory.js";
import type { PageProtocol } from "../../src/shared/page-protocol.js";
import { PAGE_WORDS, STEAL_MS_WORD } from "../../src/shared/pvclock-page.js";
import { GAVE_UP } from "../../src/shared/version-protocol.js";
import { payload } from "../alternatives/alternative.js";
import { taken } from "../alternatives/taken.js";
import { ControlWord, type CrewMemory, pageBase } from "./crew-memory.js";

/** What a thread is started with. */
export interface CrewTask {
  readonly memory: CrewMemory;
  /** 0 is the writer, readers count from 1. */
  readonly slot: number;
}

/** What it sends after each round that it took part in. */
export interface CrewReport {
  readonly slot: number;
  readonly done: number;
  readonly retries: number;
  readonly elapsedNs: number;
  /** Of one operation in BATCH * TIMED_BATCHES, in ns. */
  readonly latency: RecordableHistogram;
}

/** Operations between two looks whether the round is over. */
const BATCH = 64;
/** One batch in so many begins with an operation that is timed, which costs as much as thirty that are not. */
const TIMED_BATCHES = 16;
/** An odd version for longer than that: the writer has lost its processor. */
const MAX_RETRIES = 10_000;

/** A thread of the contended rows: sleeps until a round has use for it, waits at the start, works until the end, reports. */
class CrewThread {
  readonly #slot: number;
  readonly #control: Int32Array;
  readonly #protocol: PageProtocol;
  readonly #words: Int32Array;
  /** Depends on every word that was read. */
  #all = 0;
  #retries = 0;
  #page = 0;

  constructor({ memory, slot }: CrewTask) {
    this.#slot = slot;
    this.#control = new Int32Array(memory.control);
    this.#protocol = protocolOf(memory.pages, slot);
    this.#words = this.#protocol.words;
    this.#protocol.values.set(payload());
  }

  /** Never returns: its thread is ended from outside. */
  serve(send: (report: CrewReport) => void): never {
    for (let round = 0; ; ) {
      Atomics.wait(this.#control, ControlWord.Round, round);
      round = Atomics.load(this.#control, ControlWord.Round);
      const isWanted =
        this.#slot === 0
          ? Atomics.load(this.#control, ControlWord.HasWriter) === 1
          : this.#slot <= Atomics.load(this.#control, ControlWord.Readers);
      if (isWanted) send(this.#work(round));
    }
  }

  #work(round: number): CrewReport {
    const pages = Atomics.load(this.#control, ControlWord.Pages);
    const latency = createHistogram();
    this.#retries = 0;
    this.#page = 0;
    Atomics.add(this.#control, ControlWord.AtStart, 1);
    // The round before this one is what the word still says.
    for (let seen = this.#started(); seen !== round; seen = this.#started()) {
      Atomics.wait(this.#control, ControlWord.Started, seen);
    }
    const startNs = process.hrtime.bigint();
    let done = 0;
    let batch = 0;
    // One batch at least, also when the processor came too late for the whole round.
    do {
      const timed = batch++ % TIMED_BATCHES === 0 ? latency : null;
      done += this.#slot === 0 ? this.#update(pages, timed) : this.#read(pageBase((this.#slot - 1) % pages), timed);
    } while (Atomics.load(this.#control, ControlWord.Ended) !== round);
    const elapsedNs = Number(process.hrtime.bigint() - startNs);
    return { slot: this.#slot, done, retries: this.#retries, elapsedNs, latency };
  }

  #started(): number {
    return Atomics.load(this.#control, ControlWord.Started);
  }

  #update(pages: number, latency: RecordableHistogram | null): number {
    if (latency !== null) {
      const startNs = process.hrtime.bigint();
      this.#updateOnce(pages, BATCH);
      latency.record(Math.max(1, Number(process.hrtime.bigint() - startNs)));
    }
    for (let i = 0; i < BATCH; i++) this.#updateOnce(pages, i);
    return latency === null ? BATCH : BATCH + 1;
  }

  #updateOnce(pages: number, value: number): void {
    this.#page = this.#page + 1 >= pages ? 0 : this.#page + 1;
    this.#protocol.values[STEAL_MS_WORD] = value;
    this.#protocol.write(pageBase(this.#page), PAGE_WORDS, null);
  }

  /** @returns how many reads were accepted */
  #read(base: number, latency: RecordableHistogram | null): number {
    let accepted = 0;
    if (latency !== null) {
      const startNs = process.hrtime.bigint();
      accepted += this.#readOnce(base);
      latency.record(Math.max(1, Number(process.hrtime.bigint() - startNs)));
    }
    for (let i = 0; i < BATCH; i++) accepted += this.#readOnce(base);
    return accepted;
  }

  /** @returns 1 for a read that was accepted, else 0 */
  #readOnce(base: number): number {
    const retries = this.#protocol.read(base, PAGE_WORDS, MAX_RETRIES);
    this.#all ^= taken(this.#words);
    // Most reads need none: the count stays out of their way.
    if (retries === 0) return 1;
    this.#retries += retries === GAVE_UP ? MAX_RETRIES : retries;
    return retries === GAVE_UP ? 0 : 1;
  }
}

new CrewThread(workerData as CrewTask).serve((report) => parentPort?.postMessage(report));
