import type { Writable } from "node:stream";

/** A stream as the command writes it: a terminal, a file, a pipe, or a test's own. */
export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

const CLOSED_CODES = ["EPIPE", "EIO", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END"];

/** stdout or stderr, whose reader may go away at any time: that ends the run quietly, it is not an error. */
export class Output {
  readonly stream: OutputStream;
  private ended = false;
  private failureText: string | null = null;

  /** @param onEnded called once, when nothing more can be written */
  constructor(stream: OutputStream, onEnded: () => void) {
    this.stream = stream;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (this.ended) return;
      this.ended = true;
      if (!CLOSED_CODES.includes(error.code ?? "")) this.failureText = error.message;
      onEnded();
    });
  }

  /** Nobody reads this stream any more, or it failed. */
  get isEnded(): boolean {
    return this.ended;
  }

  /** Why it could not be written, other than that its reader went away: a full disk, for one. */
  get failure(): string | null {
    return this.failureText;
  }

  get isTerminal(): boolean {
    return this.stream.isTTY === true;
  }

  /** Columns to print in; a pipe or a file gets 80, and so does a terminal that says 0: it does not know. */
  get width(): number {
    return this.stream.columns || 80;
  }

  write(text: string): void {
    if (!this.ended) this.stream.write(text);
  }

  /** Writes, and resolves when that has left: whoever reads may be slow. */
  writePaced(text: string): Promise<void> {
    if (this.ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.stream.write(text, () => resolve());
    });
  }

  writeLines(lines: readonly string[]): void {
    if (lines.length > 0) this.write(`${lines.join("\n")}\n`);
  }

  /** Resolves when all that was written has left, or never will. */
  flush(): Promise<void> {
    if (this.ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.stream.once("error", () => resolve());
      this.stream.write("", () => resolve());
    });
  }
}
