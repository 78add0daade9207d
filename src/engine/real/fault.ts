import type { Ns } from "../../shared/units.js";
import type { FaultConfig } from "../scenario.js";

/** Makes the calling worker die as configured, once its time has come. */
export function dieWhenDue(fault: FaultConfig | null, sinceStartNs: Ns): void {
  if (fault !== null && sinceStartNs >= fault.afterNs) die(fault.kind);
}

function die(kind: FaultConfig["kind"]): never {
  switch (kind) {
    case "throw":
      throw new Error("a fault that the scenario asks for");
    case "exit":
      return process.exit(3);
    case "out-of-memory":
      return exhaustMemory();
  }
}

/** Ends with the worker's heap limit (resourceLimits), which stops this worker and no other. */
function exhaustMemory(): never {
  const hoard: number[][] = [];
  for (;;) hoard.push(new Array<number>(1_000_000).fill(hoard.length));
}
