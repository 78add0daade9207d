import { readFileSync } from "node:fs";
import { freemem, totalmem } from "node:os";
import { usableCores } from "./cores.js";
import type { Machine } from "./scenario-check.js";

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
