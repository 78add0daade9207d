import { beside, wrap } from "../format.js";

const GAP = "  ";
/** Narrower than this a sentence is no longer read with ease: it goes below its row, as wide as the lines are. */
const LEAST_ROOM = 40;
const BELOW = "    ";

/**
 * Rows of cells in columns that start at the same place in every line, no wider than `width` but for the columns that come
 * before the last. The last is wrapped: beside the others, or below them where they leave it little room.
 */
export function leftAligned(rows: readonly (readonly string[])[], width: number): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const indent = widths.reduce((columns, cells) => columns + cells + GAP.length, 0);
  const allFit = rows.every((row) => indent + (row.at(-1) ?? "").length <= width);
  const isBelow = !allFit && width - indent < LEAST_ROOM;
  return rows.flatMap((row) => {
    const last = row.at(-1) ?? "";
    const start = row
      .slice(0, -1)
      .map((cell, column) => cell.padEnd(widths[column] ?? 0) + GAP)
      .join("");
    if (isBelow) return [start.trimEnd(), ...wrap(last, width - BELOW.length, "").map((line) => BELOW + line)];
    return beside(start, wrap(last, width - indent, "")).map((line) => line.trimEnd());
  });
}
