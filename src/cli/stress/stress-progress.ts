import type { StressProgress } from "../../verify/stress/stress-run.js";
import { seconds } from "../format.js";
import type { Output } from "../output.js";
import { eraseLine, writeOver } from "../terminal-line.js";
import { shortCount } from "./stress-figures.js";

/** Often enough to be seen moving, and no load. */
const DRAW_EVERY_MS = 200;

/** One line on stderr that says how far a run has come; nothing where stderr is no terminal. */
export class StressProgressLine {
  readonly #stderr: Output;
  readonly #nowMs: () => number;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #isShown = false;

  constructor(stderr: Output, nowMs: () => number) {
    this.#stderr = stderr;
    this.#nowMs = nowMs;
  }

  /** @param title which run, such as "shipped (19 of 19)" */
  draw(title: string, { elapsedNs, reads, torn }: StressProgress): void {
    if (!this.#stderr.isTerminal || this.#nowMs() - this.#drawnMs < DRAW_EVERY_MS) return;
    this.#drawnMs = this.#nowMs();
    this.#isShown = true;
    writeOver(this.#stderr.stream, `${title}: ${seconds(elapsedNs)} s, ${shortCount(reads)} reads, ${torn} torn`);
  }

  /** Takes the line away: something else is about to be written. */
  erase(): void {
    if (this.#isShown) eraseLine(this.#stderr.stream);
    this.#isShown = false;
  }
}
