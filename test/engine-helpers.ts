import type { Scenario, VcpuConfig } from "../src/engine/scenario.js";
import { NS_PER_MS, NS_PER_SECOND } from "../src/shared/units.js";

/** Changes to the default scenario; `vcpus` may be a count. */
export type ScenarioChanges = Partial<Omit<Scenario, "vcpus">> & {
  readonly vcpuCount?: number;
  readonly vcpu?: Partial<VcpuConfig>;
};

/** A short run of hogs on one emulated pCPU, but for what is changed. */
export function scenarioOf({ vcpuCount = 2, vcpu = {}, ...changes }: ScenarioChanges = {}): Scenario {
  const phaseOf = (id: number): number => Math.floor((4 * NS_PER_MS * (2 * id + 1)) / (2 * vcpuCount));
  return {
    host: "fair",
    durationNs: 300 * NS_PER_MS,
    pcpus: 1,
    sliceNs: 4 * NS_PER_MS,
    update: { kind: "entry" },
    measure: "out-of-guest",
    stealUnit: "ms",
    stealFeature: true,
    accounting: "rfc-v2",
    hz: 250,
    tscKhz: 2_600_000,
    watchdog: { mode: "steal-aware", thresholdNs: 20 * NS_PER_SECOND, periodNs: 4 * NS_PER_SECOND },
    pollNs: NS_PER_MS,
    vcpus: Array.from({ length: vcpuCount }, (_, id) => ({
      workload: { kind: "hog" },
      nice: 0,
      pcpus: null,
      tickPhaseNs: phaseOf(id),
      gpa: null,
      ...vcpu,
    })),
    hostTasks: [],
    faults: [],
    ...changes,
  };
}
