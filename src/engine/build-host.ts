import { FairHost, type FairHostConfig } from "../host/fair-host.js";
import { LinuxHost } from "../host/linux-host.js";
import type { HostObserver } from "../host/pvclock-publisher.js";
import type { AuditRing } from "../shared/audit-ring.js";
import type { PageProtocol } from "../shared/page-protocol.js";
import type { Tsc } from "../shared/tsc.js";
import { RunChecker } from "./check/run-checker.js";
import type { Scenario, TimelineEvent } from "./scenario.js";

/** A host as the scenario describes it. */
export type BuiltHost =
  | { readonly kind: "fair"; readonly host: FairHost }
  | { readonly kind: "linux"; readonly host: LinuxHost };

/** What a driver brings along. */
export interface HostParts {
  readonly auditOf: (vcpu: number) => AuditRing | null;
  /** How its thread writes pages (by Atomics). */
  readonly protocol?: PageProtocol;
  /** The machine's time stamp counter. */
  readonly tsc: Tsc;
  /** The checker, and whoever else wants to hear what happens. */
  readonly observers: readonly HostObserver[];
}

export function buildHost(scenario: Scenario, ram: Int32Array, parts: HostParts): BuiltHost {
  const { auditOf, protocol, tsc, observers } = parts;
  const publish = {
    policy: scenario.update.kind,
    offersSteal: scenario.stealFeature,
    stealAtStartNs: scenario.startAtNs,
    nanoseconds: scenario.stealUnit === "ns",
    tsc,
    auditOf,
    ...(protocol !== undefined && { protocol }),
  };
  switch (scenario.host) {
    case "fair":
      return { kind: "fair", host: new FairHost(ram, fairConfigOf(scenario, publish), observers) };
    case "linux":
      return {
        kind: "linux",
        host: new LinuxHost(ram, { vcpuCount: scenario.vcpus.length, publish }, observers),
      };
  }
}

/** The checker that stands beside a scenario's host. */
export function buildChecker(scenario: Scenario, ram: Int32Array): RunChecker {
  return new RunChecker(ram, {
    vcpuCount: scenario.vcpus.length,
    countsHalt: scenario.measure === "out-of-guest",
    exclusivePcpus: scenario.host === "fair",
    stealAtStartNs: scenario.startAtNs,
    offersSteal: scenario.stealFeature,
  });
}

function fairConfigOf(scenario: Scenario, publish: FairHostConfig["publish"]): FairHostConfig {
  const { pcpus, sliceNs, update, measure, vcpus, hostTasks, timeline } = scenario;
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
    suspensions: timeline.flatMap(suspensionOf),
  };
}

/** What of the timeline is the host's business; the guests' they see to themselves. */
function suspensionOf(event: TimelineEvent): FairHostConfig["suspensions"] {
  const { kind, atNs, forNs } = event;
  switch (kind) {
    case "offline":
      return [];
    case "suspend":
      return [{ atNs, forNs, moveTo: null }];
    case "migrate":
      return [{ atNs, forNs, moveTo: { offersSteal: event.stealFeature, tscKhz: event.tscKhz } }];
  }
}
