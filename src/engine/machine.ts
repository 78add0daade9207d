import { readFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { usableCores } from "./cores.js";

/** What a run needs to know of the machine that it runs on. */
export interface Machine {
  /** As process.platform says it. */
  readonly platform: string;
  /** Cores that this process may use: CPU affinity and cgroup quota counted in. */
  readonly cores: number;
  /** Memory that a run may take before something else has to give way. */
  readonly availableBytes: number;
  /** The kernel tells each thread's run_delay in /proc/self/schedstat. */
  readonly schedstat: boolean;
}

/** This machine, as it is now. */
export function thisMachine(): Machine {
  return {
    platform: process.platform,
    cores: usableCores(),
    availableBytes: availableBytes(),
    schedstat: countsSchedstat(),
  };
}

function availableBytes(): number {
  // macOS counts nearly everything that could be freed at once as used.
  if (process.platform === "darwin") return totalmem();
  // Of a cgroup's limit, what is left.
  return Math.min(freemem(), process.availableMemory());
}

/** A kernel that does not count prints zeros. */
function countsSchedstat(): boolean {
  try {
    return /^[1-9]/.test(readFileSync("/proc/self/schedstat", "latin1"));
  } catch {
    return false;
  }
}
