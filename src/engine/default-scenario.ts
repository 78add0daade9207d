import { NS_PER_MS, NS_PER_SECOND, type Ns, tickNsecOf } from "../shared/units.js";
import type { Hz, Scenario } from "./scenario.js";

export const DEFAULT_HZ = 250;

/**
 * The run that nothing was said about: hogs under the fair host, the RFC's rules, three seconds. A program changes what it
 * wants by spreading it: `{ ...defaultScenario(8), accounting: "mainline" }`.
 *
 * @param vcpuCount 1 to 1024, in the virtual engine to 100,000
 * @param hz decides the tick phases, which are staggered over one tick
 * @param cores pCPUs are half the vCPUs, so that there is something to steal, and leave one of the cores to the hypervisor
 */
export function defaultScenario(vcpuCount: number, hz: Hz = DEFAULT_HZ, cores = Number.POSITIVE_INFINITY): Scenario {
  return {
    engine: "real",
    seed: 0,
    host: "fair",
    durationNs: 3 * NS_PER_SECOND,
    pcpus: Math.max(1, Math.min(Math.floor(vcpuCount / 2), cores - 1)),
    sliceNs: 4 * NS_PER_MS,
    update: { kind: "entry" },
    measure: "out-of-guest",
    stealUnit: "ms",
    stealFeature: true,
    accounting: "rfc-v2",
    hz,
    tscKhz: 2_600_000,
    watchdog: { mode: "steal-aware", thresholdNs: 20 * NS_PER_SECOND, periodNs: 4 * NS_PER_SECOND },
    pollNs: NS_PER_MS,
    vcpus: Array.from({ length: vcpuCount }, (_, id) => ({
      workload: { kind: "hog" },
      nice: 0,
      pcpus: null,
      tickPhaseNs: staggeredPhaseNs(id, vcpuCount, tickNsecOf(hz)),
      gpa: null,
    })),
    hostTasks: [],
    faults: [],
    chance: { jitterPercent: 0, wakeLatencyNs: 0, hostNoiseNs: 0 },
    startAtNs: 0,
    timeline: [],
    pageMemory: "zero",
  };
}

/** The tick grids of N vCPUs, spread evenly over one tick. */
export function staggeredPhaseNs(vcpu: number, vcpuCount: number, tickNsec: Ns): Ns {
  return Math.floor((tickNsec * (2 * vcpu + 1)) / (2 * vcpuCount));
}
