import { wrap } from "../../src/cli/format.js";
import { layOutTables } from "../../src/cli/table.js";
import { figure, leftColumn } from "./columns.js";
import { ABSOLUTE, type Comparison, type NotCompared, type RowChange } from "./compare.js";

/** Rows that never are compared are no news: no more of them are named. */
const MOST_ABSOLUTE = 6;

/** The changes as a table, a sentence that says what they come to, and what is not among them. */
export function compareLines(
  { changes, notCompared, widening }: Comparison,
  maxRegression: number,
  width: number,
): string[] {
  const worse = changes.filter(({ verdict }) => verdict === "worse").map(({ name }) => name);
  const limit = `${(maxRegression * 100).toFixed(0)} %`;
  const tooFew = changes.filter(({ verdict }) => verdict === "too few rounds").length;
  const untold = tooFew === 0 ? "" : ` Too few rounds to tell of ${tooFew} ${tooFew === 1 ? "row" : "rows"}.`;
  const sentence =
    worse.length === 0
      ? `No row is worse by more than ${limit}.`
      : `Worse by more than ${limit}, and by more than chance explains: ${worse.join(", ")}.`;
  const caution =
    widening === 1
      ? ""
      : ` One of the runs is of a single process (--quick), and the next process may find ${widening} times as much of the same code: only what changed by more than that is told.`;
  return [
    "",
    // No sentence on nothing: the command says that it found nothing to compare.
    ...(changes.length === 0 ? [] : [...tableLines(changes, width), ...wrap(sentence + untold + caution, width)]),
    ...notComparedLines(notCompared).flatMap((line) => wrap(line, width)),
  ];
}

function tableLines(changes: readonly RowChange[], width: number): string[] {
  const percent = (share: number): string => {
    const digits = Number.isFinite(share) ? (share * 100).toFixed(1) : "∞";
    return `${share > 0 ? "+" : ""}${digits} %`;
  };
  const columns = [
    { head: "before", cells: changes.map(({ before }) => figure(before)) },
    { head: "now", cells: changes.map(({ after }) => figure(after)) },
    leftColumn(
      "of",
      changes.map(({ ratioTo }) => ratioTo ?? ""),
    ),
    { head: "change", cells: changes.map(({ change }) => percent(change)) },
    { head: "from", cells: changes.map(({ interval }) => (interval === null ? "-" : percent(interval.low))) },
    { head: "to", cells: changes.map(({ interval }) => (interval === null ? "-" : percent(interval.high))) },
    leftColumn(
      "",
      changes.map(({ verdict, noisy }) => (noisy ? `${verdict}, noisy` : verdict)),
    ),
  ];
  const names = leftColumn(
    "ratio of",
    changes.map(({ group, name }) => `${group}/${name}`),
  );
  return layOutTables(names, [{ title: "", columns }], width).flatMap(([, ...lines]) =>
    lines.map((line) => line.trimEnd()),
  );
}

/** A line for each reason. */
function notComparedLines(rows: readonly NotCompared[]): string[] {
  const reasons = [...new Set(rows.map(({ why }) => why))];
  return reasons.map((reason) => {
    const names = rows.filter(({ why }) => why === reason).map(({ name }) => name);
    const shown = reason === ABSOLUTE ? names.slice(0, MOST_ABSOLUTE) : names;
    const more = shown.length < names.length ? ` and ${names.length - shown.length} more` : "";
    return `${shown.join(", ")}${more}: not compared, ${reason}`;
  });
}
