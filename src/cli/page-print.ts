import { beside, wrap } from "./format.js";
import type { DecodedStruct } from "./page-format.js";

const GAP = "  ";
const HEADS = { byte: "byte", field: "field", raw: "raw", meaning: "meaning" };
/** Narrower than this, meanings stand below their fields. */
const MIN_MEANING_WIDTH = 24;

/** A structure's fields as a table: where, name, raw value, meaning. No line is wider than `width`. */
export function structLines({ offset, rows, summary, doubts }: DecodedStruct, width: number): string[] {
  const cells = [HEADS, ...rows.map((row) => ({ ...row, byte: `${row.byte}` }))];
  const widest = (key: keyof typeof HEADS) => Math.max(...cells.map((row) => row[key].length));
  const lead = (row: typeof HEADS) =>
    [row.byte.padStart(widest("byte")), row.field.padEnd(widest("field")), row.raw.padEnd(widest("raw")), ""].join(GAP);
  const leadWidth = lead(HEADS).length;
  const table = cells.flatMap((row) =>
    width - leadWidth < MIN_MEANING_WIDTH
      ? wrap(`${row.byte} ${row.field} ${row.raw} ${row.meaning}`, width)
      : beside(lead(row), wrap(row.meaning, width - leadWidth, "")),
  );
  return [
    `offset ${offset} (0x${offset.toString(16)})`,
    ...table,
    ...(summary === null ? [] : wrap(summary, width)),
    ...doubts.flatMap((doubt) => wrap(`doubtful: ${doubt}`, width)),
  ];
}
