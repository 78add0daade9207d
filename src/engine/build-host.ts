import { FairHost } from "../host/fair-host.js";
import { LinuxHost } from "../host/linux-host.js";
import type { AuditRing } from "../shared/audit-ring.js";
import { TscFrequency } from "../shared/tsc.js";
import { RunChecker } from "./check/run-checker.js";
import type { Scenario } from "./scenario.js";

/** A host as the scenario describes it, with a checker beside it. */
export type BuiltHost =
  | { readonly kind: "fair"; readonly host: FairHost; readonly checker: RunChecker }
  | { readonly kind: "linux"; readonly host: LinuxHost; readonly checker: RunChecker };

export function buildHost(scenario: Scenario, ram: Int32Array, auditOf: (vcpu: number) => AuditRing | null): BuiltHost {
  const { host: kind, vcpus, measure } = scenario;
  const checker = new RunChecker(ram, vcpus.length, measure === "out-of-guest", kind === "fair");
  const publish = {
    policy: scenario.update.kind,
    offersSteal: scenario.stealFeature,
    nanoseconds: scenario.stealUnit === "ns",
    tscFrequency: new TscFrequency(scenario.tscKhz),
    auditOf,
  };
  switch (kind) {
    case "fair":
      return { kind, checker, host: new FairHost(ram, fairConfigOf(scenario, publish), [checker], checker) };
    case "linux":
      return { kind, checker, host: new LinuxHost(ram, { vcpuCount: vcpus.length, publish }, [checker], checker) };
  }
}

type FairHostConfig = ConstructorParameters<typeof FairHost>[1];

function fairConfigOf(scenario: Scenario, publish: FairHostConfig["publish"]): FairHostConfig {
  const { pcpus, sliceNs, update, measure, vcpus, hostTasks } = scenario;
  return {
    pcpus,
    sliceNs,
    refreshNs: update.kind === "periodic" ? update.periodNs : null,
    measure,
    publish,
    vcpus,
    tasks: hostTasks.map(({ workload, nice, pcpus: allowed }) => ({
      nice,
      pcpus: allowed,
      duty: workload.kind === "duty" ? workload : null,
    })),
  };
}
