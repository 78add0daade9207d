import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Effort } from "../harness/trial.js";

const SOURCE = join(__dirname, "../../../bench/native/protocol.c");
const FLAGS = ["-O2", "-std=gnu11"];
const COMPILERS = ["cc", "gcc", "clang"];
const runFile = promisify(execFile);

/** The protocol in C, compiled for this run. */
export class NativeProgram {
  /** The compiler's own words, and the flags it was given. */
  readonly compiler: string;
  /** Where it lies until it is closed. */
  readonly folder: string;

  private constructor(compiler: string, folder: string) {
    this.compiler = compiler;
    this.folder = folder;
    process.once("exit", this.#remove);
  }

  /**
   * @param environment CC names the compiler to take; empty for none
   * @returns null when there is no C compiler that can make it
   */
  static compile(environment: Readonly<Record<string, string | undefined>> = process.env): NativeProgram | null {
    const { CC } = environment;
    const compilers = CC === undefined ? COMPILERS : [CC].filter((name) => name !== "");
    const folder = mkdtempSync(join(tmpdir(), "stealclock-bench-"));
    for (const compiler of compilers) {
      try {
        execFileSync(compiler, [...FLAGS, SOURCE, "-o", join(folder, "protocol")], { stdio: "ignore" });
        const [version = compiler] = execFileSync(compiler, ["--version"], { encoding: "utf8" }).split("\n");
        return new NativeProgram(`${version} ${FLAGS.join(" ")}`, folder);
      } catch {
        // The next one may do.
      }
    }
    rmSync(folder, { recursive: true });
    return null;
  }

  /** One round of a row, in a process of its own. @returns ns per operation, of each batch */
  async measure(row: string, { batchNs, samplesPerRound }: Effort): Promise<number[]> {
    const { stdout } = await runFile(join(this.folder, "protocol"), [row, String(batchNs), String(samplesPerRound)]);
    return stdout.trim().split("\n").map(Number);
  }

  close(): void {
    process.off("exit", this.#remove);
    this.#remove();
  }

  readonly #remove = (): void => rmSync(this.folder, { recursive: true, force: true });
}
