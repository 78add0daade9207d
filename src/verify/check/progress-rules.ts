import { count } from "../../shared/text.js";
import { payloadOf } from "./payload.js";
import type { ProtocolThreads, ReadResult } from "./protocol-threads.js";
import { runAlone } from "./run-alone.js";
import { diedStarts, type Start, wholeUpdates } from "./start.js";
import { tornBecause } from "./torn.js";

/**
 * With the writer at rest a read needs no retry, and finds the last update: whatever a model allows, since what a writer
 * stored and was done with happened before. And so does the read after it. So a retry happens only while a writer, or a
 * reader, is at work.
 *
 * @returns what breaks it, or null
 */
export function problemAtRest(
  threads: ProtocolThreads,
  start: Start,
  updates: number,
  maxRetries: number,
): string | null {
  for (const { update, memory } of wholeUpdates(threads, start, updates)) {
    // What a writer that died left is not at rest: the next one has to make it whole first.
    if (start.firstUpdate > 1 && update < start.firstUpdate) continue;
    const first = runAlone(threads.reader(maxRetries), memory);
    const second = runAlone(threads.reader(maxRetries), first.memory);
    const when = `with the writer at rest after ${restText(start, update)}`;
    const problem =
      problemOf(first.result as ReadResult, update, `${when} a read`) ??
      problemOf(second.result as ReadResult, update, `${when} a second read`);
    if (problem !== null) return problem;
  }
  return null;
}

function restText(start: Start, update: number): string {
  if (start.firstUpdate === 1) return count(update, "update");
  return `update ${update}, of ${start.text},`;
}

function problemOf({ gaveUp, retries, out }: ReadResult, update: number, who: string): string | null {
  if (gaveUp) return `${who} gave up`;
  if (retries > 0) return `${who} needed ${count(retries, "retry", "retries")}`;
  if (payloadOf(update).every((value, index) => value === out[index])) return null;
  return `${who} found other words than ${update === 0 ? "those of the page" : "the last write() was given"}`;
}

/**
 * A writer that stopped while the version is odd: a read gives up; one that stopped elsewhere: a read accepts no mixture. The
 * next update makes the page whole again.
 */
export function problemWhenStopped(threads: ProtocolThreads, updates: number, maxRetries: number): string | null {
  for (const start of diedStarts(threads, updates)) {
    const result = runAlone(threads.reader(maxRetries), start.memory).result as ReadResult;
    const isOdd = (start.memory[0] & 1) !== 0;
    if (isOdd && !result.gaveUp) return `of ${start.text}, its version odd, a read accepted words`;
    const torn = tornBecause(result, wholeUpdates(threads, start, 0));
    if (torn !== null) return `of ${start.text} a read ${torn}`;
    const problem = problemAtRest(threads, start, 1, maxRetries);
    if (problem !== null) return problem;
  }
  return null;
}
