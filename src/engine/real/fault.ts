import type { Ns } from "../../shared/units.js";
import type { FaultConfig } from "../scenario.js";

/** Makes the calling worker die as configured, once its time has come. */
export function dieWhenDue(fault: FaultConfig | null, sinceStartNs: Ns): void {
  if (fault === null || sinceStartNs < fault.afterNs) return;
  switch (fault.kind) {
    case "throw":
      throw new Error("a fault that the scenario asks for");
    case "exit":
      process.exit(3);
    case "out-of-memory":
      exhaustMemory();
  }
}

/** Ends with the worker's heap limit (resourceLimits), which stops this worker and no other. */
function exhaustMemory(): never {
  const hoard: number[][] = [];
  for (;;) hoard.push(new Array<number>(100_000).fill(hoard.length));
}
