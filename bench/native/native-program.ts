import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Shape } from "../contended/shapes.js";
import type { Effort } from "../harness/trial.js";

const SOURCES = join(__dirname, "../../../bench/native");
const PROGRAMS = ["protocol", "contended"] as const;
const FLAGS = ["-O2", "-std=gnu11", "-pthread"];
const COMPILERS = ["cc", "gcc", "clang"];
const runFile = promisify(execFile);

/** What an access reaches: words of 32 bits, as by Atomics, or fields of 64, as by the WebAssembly module. */
export type NativeLayout = "words" | "fields";

/** What threads in C did in one window. */
export interface NativeContention {
  readonly updatesPerSecond: number;
  readonly readsPerSecond: number;
  readonly retriesPerRead: number;
}

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
        for (const program of PROGRAMS) {
          const files = [join(SOURCES, `${program}.c`), "-o", join(folder, program)];
          execFileSync(compiler, [...FLAGS, ...files], { stdio: "ignore" });
        }
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

  /** Lets the threads of a shape run against each other, in a process of their own. */
  async contend(
    { hasWriter, readers, pages }: Shape,
    layout: NativeLayout,
    windowMs: number,
  ): Promise<NativeContention> {
    const numbers = [hasWriter ? 1 : 0, readers, pages, windowMs].map(String);
    const { stdout } = await runFile(join(this.folder, "contended"), [...numbers, layout]);
    const [updatesPerSecond, readsPerSecond, retriesPerRead] = stdout.trim().split(" ").map(Number);
    return { updatesPerSecond, readsPerSecond, retriesPerRead };
  }

  close(): void {
    process.off("exit", this.#remove);
    this.#remove();
  }

  readonly #remove = (): void => rmSync(this.folder, { recursive: true, force: true });
}
