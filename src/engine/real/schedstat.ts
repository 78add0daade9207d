import { closeSync, openSync, readlinkSync, readSync } from "node:fs";
import type { Ns } from "../../shared/units.js";

const SPACE = 0x20;
const DIGIT_ZERO = 0x30;

/**
 * A thread's /proc/PID/task/TID/schedstat, kept open: on-CPU ns, run_delay ns, time slices. run_delay grows in one lump when
 * the thread gets its CPU, so a sample can miss a wait in progress, but nothing is ever lost.
 */
export class Schedstat {
  readonly #descriptor: number;
  readonly #buffer = Buffer.alloc(80);
  readonly #fields = [0, 0, 0];
  onCpuNs: Ns = 0;
  runDelayNs: Ns = 0;
  slices = 0;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** @param threadId as the kernel counts, of this process @returns null where the kernel has no schedstat */
  static open(threadId: number): Schedstat | null {
    try {
      const schedstat = new Schedstat(openSync(`/proc/self/task/${threadId}/schedstat`, "r"));
      schedstat.read();
      // A kernel that does not count prints zeros; a thread that asks has been on a CPU.
      return schedstat.slices > 0 ? schedstat : null;
    } catch {
      return null;
    }
  }

  /** Reads all three anew. A thread that is gone keeps its last figures. */
  read(): void {
    let length: number;
    try {
      length = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, 0);
    } catch {
      return;
    }
    const fields = this.#fields.fill(0);
    let field = 0;
    for (let index = 0; index < length; index++) {
      const byte = this.#buffer[index];
      if (byte === SPACE) field++;
      else if (byte >= DIGIT_ZERO) fields[field] = fields[field] * 10 + byte - DIGIT_ZERO;
    }
    [this.onCpuNs, this.runDelayNs, this.slices] = fields;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** The calling thread's number as the kernel counts; 0 where there is no /proc. */
export function currentThreadId(): number {
  try {
    return Number(readlinkSync("/proc/thread-self").split("/").pop());
  } catch {
    return 0;
  }
}
