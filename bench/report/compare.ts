import type { BenchDocument, BenchResult } from "../harness/document.js";
import { type Interval, medianInterval } from "../harness/statistics.js";
import { isMoreBetter, isRatio } from "../harness/units.js";

/** Each side's interval has this confidence, so that both hold together with 95 % at least. */
const SIDE_CONFIDENCE = 0.975;

/**
 * What one process found may be so many times what the next one finds, of the same code: V8 inlines, and places what it compiled, otherwise
 * each time. Measured: up to 1.5 times of single operations, 2.04 times of a tick.
 */
const PROCESS_SPREAD = 2.1;

/** Why rows that are divided by nothing are left out. */
export const ABSOLUTE = "nothing to divide by, and absolute figures of two runs say nothing";

/** worse: by more than what was allowed, and by more than chance explains. */
type Verdict = "worse" | "better" | "same" | "too few rounds";

/** How a row's ratio changed between two runs. Shares: 0.1 is a tenth more, and infinity, in JSON null, more than 0. */
export interface RowChange {
  readonly group: string;
  readonly name: string;
  /** null for a row that is a ratio in itself. */
  readonly ratioTo: string | null;
  readonly before: number;
  readonly after: number;
  readonly change: number;
  /** null with too few rounds to tell. */
  readonly interval: Interval | null;
  readonly verdict: Verdict;
  /** Either run was disturbed. */
  readonly noisy: boolean;
}

/** A row whose ratios could not be set side by side. */
export interface NotCompared {
  readonly group: string;
  readonly name: string;
  readonly why: string;
}

export interface Comparison {
  readonly changes: readonly RowChange[];
  /** What is missing from them: a row that got lost must not look like one that stayed as it was. */
  readonly notCompared: readonly NotCompared[];
  /** By how many times the intervals are wider to either side, as one of the runs was of one process: 1 when both had several. */
  readonly widening: number;
}

/**
 * Sets the ratios of two runs side by side; absolute times of another day or machine say nothing.
 *
 * @param maxRegression the share by which a row may get worse, such as 0.1
 * @param isWanted whether a row of the earlier run was asked for now: others are not missed
 */
export function compareRuns(
  before: BenchDocument,
  after: BenchDocument,
  maxRegression: number,
  isWanted: (row: BenchResult) => boolean = () => true,
): Comparison {
  const old = rowsOf(before);
  const now = rowsOf(after);
  const widening = before.processes === 1 || after.processes === 1 ? PROCESS_SPREAD : 1;
  const changes: RowChange[] = [];
  const notCompared: NotCompared[] = [];
  for (const [key, row] of now) {
    const match = old.get(key);
    const change =
      match === undefined ? "not in the saved file" : compareRow([match, old], [row, now], maxRegression, widening);
    if (typeof change === "string") notCompared.push(without(row, change));
    else changes.push(change);
  }
  const lost = [...old.values()].filter((row) => !now.has(keyOf(row.group, row.name)) && isWanted(row));
  for (const row of lost) notCompared.push(without(row, "in the saved file, but not measured now"));
  return { changes, notCompared, widening };
}

function without({ group, name }: BenchResult, why: string): NotCompared {
  return { group, name, why };
}

type Rows = ReadonlyMap<string, BenchResult>;

function rowsOf({ results }: BenchDocument): Rows {
  return new Map(results.map((row) => [keyOf(row.group, row.name), row]));
}

function keyOf(group: string, name: string): string {
  return `${group}/${name}`;
}

/** A row, and the others of its run. */
type RowOfRun = readonly [row: BenchResult, rows: Rows];

/** @returns the change, or why there is none */
function compareRow(
  [before, old]: RowOfRun,
  [after, now]: RowOfRun,
  maxRegression: number,
  widening: number,
): RowChange | string {
  // A ratio to something else is another ratio, whatever the row is called.
  if (before.ratioTo !== after.ratioTo) {
    return `divided by ${after.ratioTo ?? "nothing"} now, by ${before.ratioTo ?? "nothing"} in the saved file`;
  }
  if (before.unit !== after.unit) return `in ${after.unit} now, in ${before.unit} in the saved file`;
  const { group, name, unit, ratioTo } = after;
  if (ratioTo === null && !isRatio(unit)) return ABSOLUTE;
  const [from, to] = [ratioOf(before), ratioOf(after)];
  if (to === null) return `no ratio ${from === null ? "then or now" : "now"}: ${reasonOf(after, now)}`;
  if (from === null) return `no ratio in the saved file: ${reasonOf(before, old)}`;
  const change = changeFrom(from, to);
  const interval = changeInterval(roundsOf(before), roundsOf(after), widening);
  const verdict = interval === null ? "too few rounds" : judge(change, interval, isMoreBetter(unit), maxRegression);
  const shown = { group, name, ratioTo, before: from, after: to };
  return { ...shown, change, interval, verdict, noisy: after.noisy || before.noisy };
}

/** To the row that it is divided by, or the row's own figure, which then is one. */
function ratioOf({ ratioTo, ratio, median }: BenchResult): number | null {
  return ratioTo === null ? median : ratio;
}

function roundsOf({ ratioTo, ratioRounds, rounds }: BenchResult): readonly number[] {
  // Files of earlier versions have no rounds of such rows: too few to tell.
  return ratioTo === null ? (rounds ?? []) : ratioRounds;
}

/** Why a row has no ratio. */
function reasonOf({ group, ratioTo, median, note }: BenchResult, rows: Rows): string {
  const told = note ?? rows.get(keyOf(group, ratioTo ?? ""))?.note;
  if (told !== undefined) return told;
  return median === null ? "it met nothing to measure" : `no round had a figure of ${ratioTo} to divide by`;
}

/** From the lowest that one median may be over the highest that the other may be, to the reverse: wide rather than wrong. */
function changeInterval(before: readonly number[], after: readonly number[], widening: number): Interval | null {
  const old = medianInterval(before, SIDE_CONFIDENCE);
  const now = medianInterval(after, SIDE_CONFIDENCE);
  if (old === null || now === null) return null;
  return { low: changeFrom(old.high * widening, now.low), high: changeFrom(old.low, now.high * widening) };
}

/** From 0 to 0 nothing changed, and from 0 to anything it is beyond every limit. */
function changeFrom(before: number, after: number): number {
  return before === after ? 0 : after / before - 1;
}

function judge(change: number, { low, high }: Interval, moreIsBetter: boolean, maxRegression: number): Verdict {
  if (low <= 0 && high >= 0) return "same";
  // Of what is better in plenty, to lose a share of 1 - 1/1.1 is to be 10 % worse: as much more of the time is needed for it.
  const loss = moreIsBetter ? 1 / (1 + change) - 1 : change;
  if (loss <= 0) return "better";
  return loss > maxRegression ? "worse" : "same";
}
