import type { OutputStream } from "../cli/output.js";
import { eraseLine, writeOver } from "../cli/terminal-line.js";

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
    writeOver(this.#stream, text);
  }

  end(): void {
    if (this.#drawnAtMs > Number.NEGATIVE_INFINITY) eraseLine(this.#stream);
  }
}
