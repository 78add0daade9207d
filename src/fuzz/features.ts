import type { Scenario } from "../engine/scenario.js";
import { NS_PER_MS, type Ns, TWO_POW_32 } from "../shared/units.js";

/** What a scenario has, for the count of what was exercised. */
export function featuresOf(scenario: Scenario): string[] {
  const { vcpus, hostTasks, timeline, chance, startAtNs, update, measure, accounting, watchdog } = scenario;
  const kinds = new Set(timeline.map(({ kind }) => kind));
  const has: Readonly<Record<string, boolean>> = {
    "one pCPU": scenario.pcpus === 1,
    "several pCPUs": scenario.pcpus > 1,
    "10 vCPUs or more": vcpus.length >= 10,
    weights: vcpus.some(({ nice }) => nice !== 0),
    "pinned to one pCPU": vcpus.some(({ pcpus }) => pcpus?.length === 1),
    "pinned to some pCPUs": vcpus.some(({ pcpus }) => pcpus !== null && pcpus.length > 1),
    "slice below 1 ms": scenario.sliceNs < NS_PER_MS,
    "host tasks": hostTasks.length > 0,
    "pinned host tasks": hostTasks.some(({ pcpus }) => pcpus !== null),
    jitter: chance.jitterPercent > 0,
    "wake latency": chance.wakeLatencyNs > 0,
    "host noise": chance.hostNoiseNs > 0,
    "late start": startAtNs > 0,
    "32-bit steal wraps": wraps(startAtNs, scenario.durationNs),
    "junk in page memory": scenario.pageMemory === "junk",
    "page address of its own": vcpus.some(({ gpa }) => gpa !== null),
    "no steal feature": !scenario.stealFeature,
    "aligned ticks": vcpus.length > 1 && vcpus.every(({ tickPhaseNs }) => tickPhaseNs === 0),
    "short watchdog": watchdog.thresholdNs < scenario.durationNs,
    "several stops": timeline.filter(({ kind }) => kind !== "offline").length > 1,
  };
  const names = [
    `update ${update.kind}`,
    `measure ${measure}`,
    `steal in ${scenario.stealUnit}`,
    `accounting ${accounting}`,
    `${scenario.hz} Hz`,
    `watchdog ${watchdog.mode}`,
    ...new Set(vcpus.map(({ workload }) => `workload ${workload.kind}`)),
    ...new Set(hostTasks.map(({ workload }) => `host task ${workload.kind}`)),
    ...[...kinds].map((kind) => `timeline ${kind}`),
  ];
  return [...Object.keys(has).filter((feature) => has[feature]), ...names];
}

function wraps(startAtNs: Ns, durationNs: Ns): boolean {
  const wrapNs = TWO_POW_32 * NS_PER_MS;
  return startAtNs < wrapNs && startAtNs + durationNs > wrapNs;
}
