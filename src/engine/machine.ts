import { accessSync, constants } from "node:fs";
import { freemem, totalmem } from "node:os";
import { usableCores } from "./cores.js";
import type { Machine } from "./scenario-check.js";

/** This machine, as it is now. */
export function thisMachine(): Machine {
  return {
    platform: process.platform,
    cores: usableCores(),
    availableBytes: availableBytes(),
    schedstat: isReadable("/proc/self/schedstat"),
  };
}

function availableBytes(): number {
  // macOS counts nearly everything that could be freed at once as used.
  const free = process.platform === "darwin" ? totalmem() : freemem();
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(free, constrained) : free;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
