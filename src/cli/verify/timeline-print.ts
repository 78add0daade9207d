import type { Counterexample } from "../../verify/check/check-under-model.js";
import type { TimelineRow } from "../../verify/check/timeline.js";
import { highOf, lowOf } from "../../verify/explore/layout.js";
import { wrap } from "../format.js";

const GAP = "  ";

/**
 * An execution as a timeline with a column for each thread, a row for each access; where that is wider than `width`, with
 * one column, each row beginning with its thread's name.
 */
export function timelineLines({ threads, rows }: Counterexample, width: number): string[] {
  const numbers = rows.map((_, row) => String(row + 1));
  const numberWidth = Math.max(1, ...numbers.map((text) => text.length));
  const texts = rows.map((row) => rowText(row));
  const widths = threads.map((name, thread) =>
    Math.max(name.length, ...texts.map((text, row) => (rows[row].thread === thread ? text.length : 0))),
  );
  const total = numberWidth + widths.reduce((sum, column) => sum + GAP.length + column, 0);
  const lead = (row: number): string => (numbers[row] ?? "").padStart(numberWidth) + GAP;
  if (total > width) {
    const nameWidth = Math.max(...threads.map((name) => name.length));
    return rows.flatMap(({ thread }, row) =>
      wrap(lead(row) + threads[thread].padEnd(nameWidth) + GAP + texts[row], width, " ".repeat(lead(row).length + 2)),
    );
  }
  const cells = (cellOf: (thread: number) => string): string =>
    threads
      .map((_, thread) => cellOf(thread).padEnd(widths[thread]))
      .join(GAP)
      .trimEnd();
  const heads = " ".repeat(numberWidth) + GAP + cells((thread) => threads[thread]);
  return [heads, ...rows.map((row, at) => lead(at) + cells((thread) => (thread === row.thread ? texts[at] : "")))];
}

/** "store version = 1", "plain load word 3 -> 13 (row 5)", "load version -> 0 (initial, not row 2)". */
function rowText({ operation, order, word, loaded, stored, from, overtaken }: TimelineRow): string {
  const place = word === 0 ? "version" : `word ${word}`;
  const verb = operation === "read-modify-write" ? "rmw" : operation;
  const what = `${order === "plain" ? "plain " : ""}${verb} ${place}`;
  if (loaded === null) return `${what} = ${valueText(stored)}`;
  const source = from === null ? "initial" : `row ${from + 1}`;
  const instead = overtaken === null ? "" : `, not row ${overtaken + 1}`;
  const put = stored === null ? "" : `, = ${valueText(stored)}`;
  return `${what} -> ${valueText(loaded)} (${source}${instead})${put}`;
}

/** Of a field of 64 bits, both words: "2|11". */
function valueText(value: number | null): string {
  if (value === null || Math.abs(value) < 2 ** 32) return String(value);
  return `${lowOf(value)}|${highOf(value)}`;
}
