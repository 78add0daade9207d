import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import { overrunNsOf } from "./overrun.js";

/** One time for which the whole machine stands still. */
export interface Stop {
  readonly fromNs: Ns;
  /** When it goes on at the earliest. */
  readonly toNs: Ns;
  /** When it goes on at the latest: whoever is late in leaving his pCPU holds it up. */
  readonly toAtLatestNs: Ns;
  /** The one in front of it may still have been going on, so it may begin and end later than said. */
  readonly late: boolean;
}

/** When a scenario's machine stands still, in order. */
export function stopsOf(scenario: Scenario): Stop[] {
  const { timeline, startAtNs } = scenario;
  const overrunNs = overrunNsOf(scenario);
  let clearFromNs = 0;
  return timeline.flatMap(({ kind, atNs, forNs }) => {
    if (kind === "offline") return [];
    const late = startAtNs + atNs < clearFromNs;
    const fromNs = startAtNs + atNs;
    clearFromNs = Math.max(clearFromNs, fromNs) + Math.max(forNs, overrunNs);
    return [{ fromNs, toNs: fromNs + forNs, toAtLatestNs: clearFromNs, late }];
  });
}
