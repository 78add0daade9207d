import { count } from "../../shared/text.js";
import { payloadOf } from "./payload.js";
import type { ProtocolThreads, ReadResult } from "./protocol-threads.js";
import { runAlone } from "./run-alone.js";
import { diedStarts, FRESH, wholeUpdates } from "./start.js";
import { tornBecause } from "./torn.js";

/**
 * With the writer at rest a read needs no retry, and finds the last update: whatever a model allows, since what a writer
 * stored and was done with happened before. So a retry happens only while a writer is at work.
 *
 * @returns what breaks it, or null
 */
export function problemAtRest(threads: ProtocolThreads, updates: number, maxRetries: number): string | null {
  for (const { update, memory } of wholeUpdates(threads, FRESH, updates)) {
    const result = runAlone(threads.reader(maxRetries), memory).result as ReadResult;
    const when = `with the writer at rest after ${count(update, "update")} a read`;
    if (result.gaveUp) return `${when} gave up`;
    if (result.retries > 0) return `${when} needed ${count(result.retries, "retry", "retries")}`;
    const isLast = payloadOf(update).every((value, index) => value === result.out[index]);
    if (!isLast)
      return `${when} found other words than ${update === 0 ? "those of the page" : "the last write() was given"}`;
  }
  return null;
}

/** A writer that stopped while the version is odd: a read gives up; and one that stopped elsewhere: it accepts no mixture. */
export function problemWhenStopped(threads: ProtocolThreads, maxRetries: number): string | null {
  for (const start of diedStarts(threads)) {
    const result = runAlone(threads.reader(maxRetries), start.memory).result as ReadResult;
    const isOdd = (start.memory[0] & 1) !== 0;
    if (isOdd && !result.gaveUp) return `of ${start.text}, its version odd, a read accepted words`;
    const torn = tornBecause(result, wholeUpdates(threads, start, 0));
    if (torn !== null) return `of ${start.text} a read ${torn}`;
  }
  return null;
}
