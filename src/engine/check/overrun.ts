import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";

/** How long a vCPU keeps its pCPU at most after it was asked to leave, or before it can be. */
export function overrunNsOf({ chance }: Scenario): Ns {
  return Math.max(chance.wakeLatencyNs, chance.hostNoiseNs);
}
