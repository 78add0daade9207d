import { defaultScenario } from "../src/engine/default-scenario.js";
import type { Scenario, VcpuConfig } from "../src/engine/scenario.js";
import { NS_PER_MS } from "../src/shared/units.js";

/** Changes to the default scenario; `vcpu` changes every vCPU. */
export type ScenarioChanges = Partial<Omit<Scenario, "vcpus">> & {
  readonly vcpuCount?: number;
  readonly vcpu?: Partial<VcpuConfig>;
};

/** A short run of hogs on one emulated pCPU, but for what is changed. */
export function scenarioOf({ vcpuCount = 2, vcpu = {}, ...changes }: ScenarioChanges = {}): Scenario {
  const scenario = defaultScenario(vcpuCount, changes.hz);
  return {
    ...scenario,
    durationNs: 300 * NS_PER_MS,
    pcpus: 1,
    vcpus: scenario.vcpus.map((byDefault) => ({ ...byDefault, ...vcpu })),
    ...changes,
  };
}
