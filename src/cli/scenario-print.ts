import { Document, isMap, isSeq } from "yaml";
import { staggeredPhaseNs } from "../engine/default-scenario.js";
import type { HostTaskConfig, Scenario, VcpuConfig } from "../engine/scenario.js";
import { formatDuration, tickNsecOf } from "../shared/units.js";
import type { SettingKey } from "./scenario-schema.js";
import { formatUpdate, formatWorkload } from "./values.js";

/**
 * A resolved scenario as the text of a scenario file: reading it back gives the same scenario.
 *
 * Staggered tick phases are left out, so that they follow when the number of vCPUs or HZ is changed afterwards.
 */
export function printScenario(scenario: Scenario): string {
  const fair = scenario.host === "fair";
  const settings: Partial<Record<SettingKey, unknown>> = {
    host: scenario.host,
    duration: formatDuration(scenario.durationNs),
    vcpus: vcpuEntries(scenario),
    ...(fair && { pcpus: scenario.pcpus, slice: formatDuration(scenario.sliceNs) }),
    ...(fair && { update: formatUpdate(scenario.update), measure: scenario.measure }),
    ...(fair && { hostTasks: scenario.hostTasks.map(hostTaskEntry) }),
    ...(!fair && { poll: formatDuration(scenario.pollNs) }),
    stealUnit: scenario.stealUnit,
    stealFeature: scenario.stealFeature,
    accounting: scenario.accounting,
    hz: scenario.hz,
    tscKhz: scenario.tscKhz,
    watchdog: scenario.watchdog.mode,
    watchdogThreshold: formatDuration(scenario.watchdog.thresholdNs),
    watchdogPeriod: formatDuration(scenario.watchdog.periodNs),
    faults: scenario.faults.map(({ part, kind, afterNs }) => ({ part, kind, after: formatDuration(afterNs) })),
  };
  const document = new Document(settings);
  for (const key of ["vcpus", "hostTasks", "faults"]) {
    const list = document.get(key);
    if (isSeq(list)) for (const item of list.items) if (isMap(item)) item.flow = true;
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

type Entry = Readonly<Record<string, unknown>>;

/** One entry for each stretch of equal vCPUs. */
function vcpuEntries(scenario: Scenario): Entry[] {
  const stretches: { entry: Entry; text: string; count: number }[] = [];
  scenario.vcpus.forEach((vcpu, id) => {
    const entry = vcpuEntry(scenario, vcpu, id);
    const text = JSON.stringify(entry);
    const last = stretches.at(-1);
    if (last?.text === text) last.count++;
    else stretches.push({ entry, text, count: 1 });
  });
  return stretches.map(({ entry, count }) => (count === 1 ? entry : { count, ...entry }));
}

function vcpuEntry(scenario: Scenario, vcpu: VcpuConfig, id: number): Entry {
  const staggered = staggeredPhaseNs(id, scenario.vcpus.length, tickNsecOf(scenario.hz));
  return {
    workload: formatWorkload(vcpu.workload),
    ...(scenario.host === "fair" && { nice: vcpu.nice }),
    ...(vcpu.pcpus !== null && { pcpus: vcpu.pcpus }),
    ...(vcpu.tickPhaseNs !== staggered && { phase: formatDuration(vcpu.tickPhaseNs) }),
    ...(vcpu.gpa !== null && { gpa: vcpu.gpa }),
  };
}

function hostTaskEntry(task: HostTaskConfig): Entry {
  return {
    workload: formatWorkload(task.workload),
    nice: task.nice,
    ...(task.pcpus !== null && { pcpus: task.pcpus }),
  };
}
