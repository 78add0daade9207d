import { createHistogram } from "node:perf_hooks";
import { VERSION_WORD } from "../../shared/pvclock-page.js";
import { PAYLOAD_WORDS, type Protocol } from "../protocol.js";
import { callGuarded } from "./probe-protocol.js";
import { STOP, ThreadWord } from "./stress-memory.js";
import type { ThreadControl } from "./thread-control.js";
import type { FaultTrap } from "./thread-fault.js";
import { LATENCY_EVERY, type ThreadReport } from "./thread-task.js";
import { fillUpdate, leaveHalfWritten, nextUpdate } from "./update-words.js";

/** One update in so many finds its page as a writer that died would leave it, and has to repair it. */
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
  const latency = createHistogram();
  const done = callGuarded("write", () => writeUntilStopped(parts, latency));
  return { role: "writer", done, latency, tallies: [], retryCounts: new Float64Array(0) };
}

/** Allocates nothing but what the clock does. @returns the number of updates */
function writeUntilStopped(
  { protocol, pages, control, repairs, trap }: WriterParts,
  latency: { record(ns: number): void },
): number {
  const { write } = protocol;
  // With an accepted version to compare, an update is numbered by the version it closes with; else they are counted.
  const isNumberedByVersion = protocol.acceptedVersion !== undefined;
  const values = new Int32Array(PAYLOAD_WORDS);
  let update = 0;
  let page = 0;
  let done = 0;
  while (control.command !== STOP) {
    const words = pages[page];
    page = page + 1 === pages.length ? 0 : page + 1;
    if (repairs && done % REPAIR_EVERY === REPAIR_EVERY - 1) leaveHalfWritten(words, update);
    // This thread alone stores the version: what it finds is what it, or the writer before it, left.
    update = isNumberedByVersion ? nextUpdate(Atomics.load(words, VERSION_WORD)) : (update + 1) | 0;
    fillUpdate(values, update);
    trap?.look(words);
    if (done % LATENCY_EVERY === 0) {
      const startNs = process.hrtime.bigint();
      write(words, values);
      // A histogram takes nothing below 1.
      latency.record(Math.max(1, Number(process.hrtime.bigint() - startNs)));
    } else {
      write(words, values);
    }
    done++;
    control.show(ThreadWord.Done, done);
  }
  return done;
}
