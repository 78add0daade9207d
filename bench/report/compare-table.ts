import { layOutTables } from "../../src/cli/table.js";
import { figure, leftColumn } from "./columns.js";
import type { RowChange } from "./compare.js";

/** The changes as a table, and a sentence that says what they come to. */
export function compareLines(changes: readonly RowChange[], maxRegression: number, width: number): string[] {
  const percent = (share: number): string => `${share > 0 ? "+" : ""}${(share * 100).toFixed(1)} %`;
  const columns = [
    { head: "before", cells: changes.map(({ before }) => figure(before)) },
    { head: "now", cells: changes.map(({ after }) => figure(after)) },
    leftColumn(
      "of",
      changes.map(({ ratioTo }) => ratioTo),
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
  const worse = changes.filter(({ verdict }) => verdict === "worse").map(({ name }) => name);
  const limit = `${(maxRegression * 100).toFixed(0)} %`;
  return [
    "",
    ...layOutTables(names, [{ title: "", columns }], width).flatMap(([, ...lines]) =>
      lines.map((line) => line.trimEnd()),
    ),
    worse.length === 0
      ? `No row is worse by more than ${limit}.`
      : `Worse by more than ${limit}, and by more than chance explains: ${worse.join(", ")}.`,
  ];
}
