import type { BenchDocument, BenchResult } from "../harness/document.js";
import { type Interval, medianInterval } from "../harness/statistics.js";

/** Each side's interval has this confidence, so that both hold together with 95 % at least. */
const SIDE_CONFIDENCE = 0.975;

/** Units of which more is better; of all others less is. */
const MORE_IS_BETTER = /\/s$|^fairness$/;

/** worse: by more than what was allowed, and by more than chance explains. */
type Verdict = "worse" | "better" | "same" | "too few rounds";

/** How a row's ratio changed between two runs. Shares: 0.1 is a tenth more. */
export interface RowChange {
  readonly group: string;
  readonly name: string;
  readonly ratioTo: string;
  readonly before: number;
  readonly after: number;
  readonly change: number;
  /** null with too few rounds to tell. */
  readonly interval: Interval | null;
  readonly verdict: Verdict;
  /** Either run was disturbed. */
  readonly noisy: boolean;
}

/**
 * Sets the ratios of two runs side by side; absolute times of another day or machine say nothing. Rows that either run has not, or
 * divided by another row, are left out.
 *
 * @param maxRegression the share by which a row may get worse, such as 0.1
 */
export function compareRuns(before: BenchDocument, after: BenchDocument, maxRegression: number): RowChange[] {
  const old = new Map(before.results.map((row) => [keyOf(row), row]));
  return after.results.flatMap((row) => {
    const match = old.get(keyOf(row));
    return match === undefined ? [] : changeOf(match, row, maxRegression);
  });
}

function keyOf({ group, name, unit, ratioTo }: BenchResult): string {
  return [group, name, unit, ratioTo].join(" ");
}

function changeOf(before: BenchResult, after: BenchResult, maxRegression: number): RowChange[] {
  const { group, name, unit, ratioTo, noisy } = after;
  if (ratioTo === null || !before.ratio || after.ratio === null) return [];
  const change = after.ratio / before.ratio - 1;
  const interval = changeInterval(before.ratioRounds, after.ratioRounds);
  const verdict =
    interval === null ? "too few rounds" : judge(change, interval, MORE_IS_BETTER.test(unit), maxRegression);
  const shown = { group, name, ratioTo, before: before.ratio, after: after.ratio };
  return [{ ...shown, change, interval, verdict, noisy: noisy || before.noisy }];
}

/** From the lowest that one median may be over the highest that the other may be, to the reverse: wide rather than wrong. */
function changeInterval(before: readonly number[], after: readonly number[]): Interval | null {
  const old = medianInterval(before, SIDE_CONFIDENCE);
  const now = medianInterval(after, SIDE_CONFIDENCE);
  if (old === null || now === null) return null;
  return { low: now.low / old.high - 1, high: now.high / old.low - 1 };
}

function judge(change: number, { low, high }: Interval, moreIsBetter: boolean, maxRegression: number): Verdict {
  if (low <= 0 && high >= 0) return "same";
  // Of what is better in plenty, to lose a share of 1 - 1/1.1 is to be 10 % worse: as much more of the time is needed for it.
  const loss = moreIsBetter ? 1 / (1 + change) - 1 : change;
  if (loss <= 0) return "better";
  return loss > maxRegression ? "worse" : "same";
}
