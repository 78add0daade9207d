import type { GuestCpuConfig } from "../guest/build-guest-cpu.js";
import { tickNsecOf } from "../shared/units.js";
import type { Scenario } from "./scenario.js";

/** How a scenario's vCPU is to boot. */
export function guestCpuConfigOf(scenario: Scenario, id: number): GuestCpuConfig {
  const { workload, gpa } = scenario.vcpus[id];
  const hotplug = scenario.timeline.filter((event) => event.kind === "offline" && event.vcpu === id);
  return {
    id,
    accounting: scenario.accounting,
    tickNsec: tickNsecOf(scenario.hz),
    watchdogMode: scenario.watchdog.mode,
    watchdogThresholdNs: scenario.watchdog.thresholdNs,
    watchdogPeriodNs: scenario.watchdog.periodNs,
    workload,
    gpa,
    hotplug,
    jitterPercent: scenario.chance.jitterPercent,
  };
}
