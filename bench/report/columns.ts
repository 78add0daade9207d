/** Four figures or so: 0.271, 84.1, 1,530; "-" for none. */
export function figure(value: number | null): string {
  if (value === null) return "-";
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(1);
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-GB");
  return value.toPrecision(3);
}

/** A column's head and cells, padded to one width: in a table that aligns right they stand at the left. */
export function leftColumn(head: string, cells: readonly string[]): { head: string; cells: string[] } {
  const longest = Math.max(head.length, ...cells.map((cell) => cell.length));
  return { head: head.padEnd(longest), cells: cells.map((cell) => cell.padEnd(longest)) };
}
