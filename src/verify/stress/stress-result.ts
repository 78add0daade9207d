import { createHistogram } from "node:perf_hooks";
import type { Ns } from "../../shared/units.js";
import { mergeTallies, metTheWriter } from "./read-tally.js";
import type { FaultReport, Spread, StressOptions, StressRun } from "./stress-run.js";
import type { ThreadReport } from "./thread-task.js";
import { verdictOf } from "./verdict.js";

/** What is known when all threads of a run have reported. */
export interface Finished {
  readonly reports: readonly ThreadReport[];
  /** Of all writers, those that died included. */
  readonly updates: number;
  /** Of these, those of the steal alone; null where the protocol has no writeSteal(). */
  readonly steals: number | null;
  readonly durationNs: Ns;
  readonly stoppedEarly: boolean;
  readonly repairs: boolean;
  readonly fault: FaultReport | null;
  /** The fault was met as it should be; true without one. */
  readonly faultMet: boolean;
}

/** Merges what the threads counted, and judges it. */
export function resultOf(options: StressOptions, finished: Finished): StressRun {
  const { protocol, readers, pages } = options;
  const { reports, updates, steals, durationNs, stoppedEarly, repairs, fault, faultMet } = finished;
  const readersReports = reports.filter(({ role }) => role === "reader");
  const tally = mergeTallies(readersReports.flatMap(({ tallies }) => tallies));
  const { reads, retries, gaveUp, oddSeen, changedSeen, stealsMet, torn, firstTearAtRead } = tally;
  const { name, expected } = protocol;
  // A run with a fault is about that; it may be too short for more.
  const stealsTried = steals === null || fault !== null || stealsMet > 0;
  const provedSomething = metTheWriter(tally) && stealsTried && faultMet;
  return {
    protocol: name,
    expected,
    readers,
    pages,
    updates,
    steals,
    reads,
    retries,
    retriesPerRead: spreadOfCounts(mergeCounts(readersReports)),
    gaveUp,
    oddSeen,
    changedSeen,
    stealsMet: steals === null ? null : stealsMet,
    torn,
    firstTearAtRead: firstTearAtRead === 0 ? null : firstTearAtRead,
    durationNs,
    updateNs: latencyOf(reports.filter(({ role }) => role === "writer")),
    readNs: latencyOf(readersReports),
    stoppedEarly,
    verdict: verdictOf({ expected, torn, provedSomething, repairs, stoppedEarly }),
    fault,
  };
}

function latencyOf(reports: readonly ThreadReport[]): Spread {
  const merged = createHistogram();
  for (const { latency } of reports) merged.add(latency);
  if (merged.count === 0) return { p50: 0, p99: 0, max: 0 };
  return { p50: merged.percentile(50), p99: merged.percentile(99), max: merged.max };
}

function mergeCounts(reports: readonly ThreadReport[]): Float64Array {
  const longest = reports.reduce((most, { retryCounts }) => Math.max(most, retryCounts.length), 0);
  const merged = new Float64Array(longest);
  for (const { retryCounts } of reports) {
    for (const [retries, reads] of retryCounts.entries()) merged[retries] += reads;
  }
  return merged;
}

/** Exact, by counting: counts[n] is how often n came up. */
function spreadOfCounts(counts: Float64Array): Spread {
  const total = counts.reduce((sum, times) => sum + times, 0);
  const valueAt = (share: number): number => {
    let below = 0;
    return counts.findIndex((times) => {
      below += times;
      return times > 0 && below >= total * share;
    });
  };
  if (total === 0) return { p50: 0, p99: 0, max: 0 };
  return { p50: valueAt(0.5), p99: valueAt(0.99), max: valueAt(1) };
}
