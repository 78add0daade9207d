import type { OutputStream } from "./output.js";

const ERASE_LINE = "\r\u001B[K";

/** Writes over the line that the cursor is in, without going on to the next. */
export function writeOver(stream: OutputStream, text: string): void {
  // A line that is as wide as the terminal could wrap, and then not be erased. One that does not know its width says 0.
  const width = stream.columns || 80;
  stream.write(`${ERASE_LINE}${text.slice(0, width - 1)}`);
}

export function eraseLine(stream: OutputStream): void {
  stream.write(ERASE_LINE);
}
