import type { OutputStream } from "../cli/output.js";

const ERASE_LINE = "\r\u001B[K";
const REDRAW_MS = 100;

/** A line on a terminal that says how far the search has come; nothing anywhere else. */
export class ProgressLine {
  readonly #stream: OutputStream;
  readonly #nowMs: () => number;
  #drawnAtMs = Number.NEGATIVE_INFINITY;

  constructor(stream: OutputStream, nowMs: () => number) {
    this.#stream = stream;
    this.#nowMs = nowMs;
  }

  draw(text: string): void {
    if (this.#stream.isTTY !== true || this.#nowMs() - this.#drawnAtMs < REDRAW_MS) return;
    this.#drawnAtMs = this.#nowMs();
    // A terminal that does not say how wide it is says 0.
    const width = this.#stream.columns || 80;
    this.#stream.write(`${ERASE_LINE}${text.slice(0, width - 1)}`);
  }

  end(): void {
    if (this.#drawnAtMs > Number.NEGATIVE_INFINITY) this.#stream.write(ERASE_LINE);
  }
}
