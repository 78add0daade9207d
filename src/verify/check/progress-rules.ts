import { count } from "../../shared/text.js";
import type { ProtocolThreads, ReadResult } from "./protocol-threads.js";
import { runAlone } from "./run-alone.js";
import { ABOUT_TO_WRAP, diedStarts, FRESH, type Start, type WholeUpdate, wholeUpdates } from "./start.js";
import { tornBecause } from "./torn.js";
import { patternsOf, stealOnlyOf, stealOnlyText, type UpdateKind } from "./updates.js";

/**
 * What breaks the rules that hold without anybody beside: of so many updates of every kind, on a fresh page and on one
 * whose version wraps, and of pages whose writer died.
 *
 * @returns a sentence without its end; null when nothing does
 */
export function problemAlone(threads: ProtocolThreads, updates: number, maxRetries: number): string | null {
  for (const start of [FRESH, ABOUT_TO_WRAP]) {
    for (const pattern of patternsOf(updates, threads.kinds)) {
      const problem = problemAtRest(threads, start, pattern, maxRetries);
      if (problem !== null) return problem;
    }
  }
  return problemWhenStopped(threads, updates, maxRetries);
}

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
  updates: readonly UpdateKind[],
  maxRetries: number,
): string | null {
  const whole = wholeUpdates(threads, start, updates);
  // What a writer that died left is not at rest: the next one has to make it whole first.
  const atRest = start.begun.length === 0 ? whole : whole.slice(start.begun.length + 1);
  for (const last of atRest) {
    const first = runAlone(threads.reader(maxRetries), last.memory);
    const second = runAlone(threads.reader(maxRetries), first.memory);
    const when = `with the writer at rest ${afterText(start, whole.slice(1, last.update + 1))}`;
    const problem =
      problemOf(first.result as ReadResult, last, `${when} a read`) ??
      problemOf(second.result as ReadResult, last, `${when} a second read`);
    if (problem !== null) return problem;
    if (!hasNewVersion(whole, last)) return `${when} the version is no higher than before`;
  }
  return null;
}

/** "after 2 updates", "after update 2, of a page whose writer died after 3 stores of update 1,". */
function afterText(start: Start, made: readonly WholeUpdate[]): string {
  const which = stealOnlyText(stealOnlyOf(made.map(({ kind }) => kind)));
  if (start.begun.length > 0) return `after update ${made.length}, of ${start.text}${which},`;
  const where = start === FRESH ? "" : ` of ${start.text}`;
  return `after ${count(made.length, "update")}${where}${which === "" ? "" : `${which},`}`;
}

function problemOf(
  { gaveUp, retries, out }: ReadResult,
  { update, kind, payload }: WholeUpdate,
  who: string,
): string | null {
  if (gaveUp) return `${who} gave up`;
  if (retries > 0) return `${who} needed ${count(retries, "retry", "retries")}`;
  if (payload.every((value, index) => value === out[index])) return null;
  const given =
    kind === "full" ? "the last write() was given" : "the last writeSteal() was given, with the others as before";
  return `${who} found other words than ${update === 0 ? "those of the page" : given}`;
}

/**
 * An update of the steal alone under a version that was there before tears nothing where a reader compares the steal, too, or nothing
 * else changed; but nobody could tell the two updates from each other by their version. Of full updates a reader's mixture shows it.
 */
function hasNewVersion(whole: readonly WholeUpdate[], { update, kind, version }: WholeUpdate): boolean {
  return kind === "full" || ((version - whole[update - 1].version) | 0) > 0;
}

/**
 * A writer that stopped while the version is odd: a read gives up; one that stopped elsewhere: a read accepts no mixture. The
 * next update, a full one, makes the page whole again.
 */
export function problemWhenStopped(threads: ProtocolThreads, updates: number, maxRetries: number): string | null {
  for (const start of diedStarts(threads, updates)) {
    const page = start.text + stealOnlyText(stealOnlyOf(start.begun));
    const result = runAlone(threads.reader(maxRetries), start.memory).result as ReadResult;
    const isOdd = (start.memory[0] & 1) !== 0;
    if (isOdd && !result.gaveUp) return `of ${page}, its version odd, a read accepted words`;
    const torn = tornBecause(result, wholeUpdates(threads, start, []));
    if (torn !== null) return `of ${page} a read ${torn}`;
    const problem = problemAtRest(threads, start, ["full"], maxRetries);
    if (problem !== null) return problem;
  }
  return null;
}
