import { Document, isMap, isSeq } from "yaml";
import type { HostTaskConfig, Scenario, TimelineEvent, VcpuConfig } from "../engine/scenario.js";
import { defaultPhaseRule, phasesByRuleNs, type TickPhaseRule } from "../engine/tick-phases.js";
import { formatDuration, type Ns, tickNsecOf } from "../shared/units.js";
import type { SettingKey } from "./scenario-schema.js";
import { formatUpdate, formatWorkload } from "./values.js";

type Printed = Partial<Record<SettingKey, unknown>>;

/**
 * A resolved scenario as the text of a scenario file: reading it back gives the same scenario.
 *
 * Tick phases that follow a rule are left out, so that they follow when the number of vCPUs, HZ or the seed is changed
 * afterwards.
 */
export function printScenario(scenario: Scenario): string {
  const settings: Printed = {
    engine: scenario.engine,
    ...(scenario.engine === "virtual" && { seed: scenario.seed }),
    host: scenario.host,
    duration: formatDuration(scenario.durationNs),
    ...vcpuSettings(scenario),
    ...(scenario.host === "fair" && fairSettings(scenario)),
    ...(scenario.host === "linux" && { poll: formatDuration(scenario.pollNs) }),
    stealUnit: scenario.stealUnit,
    stealFeature: scenario.stealFeature,
    accounting: scenario.accounting,
    hz: scenario.hz,
    tscKhz: scenario.tscKhz,
    watchdog: scenario.watchdog.mode,
    watchdogThreshold: formatDuration(scenario.watchdog.thresholdNs),
    watchdogPeriod: formatDuration(scenario.watchdog.periodNs),
    pageMemory: scenario.pageMemory,
    ...engineSettings(scenario),
  };
  const document = new Document(settings);
  for (const key of ["vcpus", "hostTasks", "faults", "timeline"]) {
    const list = document.get(key);
    if (isSeq(list)) for (const item of list.items) if (isMap(item)) item.flow = true;
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function fairSettings({ pcpus, sliceNs, update, measure, hostTasks }: Scenario): Printed {
  return {
    pcpus,
    slice: formatDuration(sliceNs),
    update: formatUpdate(update),
    measure,
    hostTasks: hostTasks.map(hostTaskEntry),
  };
}

function engineSettings({ engine, faults, chance, startAtNs, timeline }: Scenario): Printed {
  switch (engine) {
    case "real":
      return { faults: faults.map(({ part, kind, afterNs }) => ({ part, kind, after: formatDuration(afterNs) })) };
    case "virtual":
      return {
        startAt: formatDuration(startAtNs),
        jitter: `${chance.jitterPercent}%`,
        wakeLatency: formatDuration(chance.wakeLatencyNs),
        hostNoise: formatDuration(chance.hostNoiseNs),
        timeline: timeline.map(timelineEntry),
      };
  }
}

type Entry = Readonly<Record<string, unknown>>;

function vcpuSettings(scenario: Scenario): Printed {
  const rule = likelyPhaseRule(scenario);
  const phases = phasesOf(scenario, rule);
  return {
    ...(rule !== defaultPhaseRule(scenario.engine) && { tickPhase: rule }),
    vcpus: stretchesOf(scenario.vcpus, phases).map(({ vcpu, phaseNs, count }) => ({
      ...(count > 1 && { count }),
      ...vcpuEntry(scenario, vcpu, phaseNs),
    })),
  };
}

/** The rule that most vCPUs' phases follow; the engine's own when as many follow it. */
function likelyPhaseRule(scenario: Scenario): TickPhaseRule {
  const followers = (rule: TickPhaseRule): number => {
    const phases = phasesOf(scenario, rule);
    return scenario.vcpus.reduce((count, { tickPhaseNs }, id) => count + (tickPhaseNs === phases[id] ? 1 : 0), 0);
  };
  // The real engine knows no other.
  if (scenario.engine === "real") return "staggered";
  return followers("staggered") > followers("random") ? "staggered" : "random";
}

function phasesOf({ seed, vcpus, hz }: Scenario, rule: TickPhaseRule): Ns[] {
  return phasesByRuleNs(rule, seed, vcpus.length, tickNsecOf(hz));
}

/** vCPUs in a row that are the same. */
interface Stretch {
  readonly vcpu: VcpuConfig;
  /** null when the phases follow the rule. */
  readonly phaseNs: Ns | null;
  count: number;
}

function stretchesOf(vcpus: readonly VcpuConfig[], phasesByRule: readonly Ns[]): Stretch[] {
  const stretches: Stretch[] = [];
  vcpus.forEach((vcpu, id) => {
    const phaseNs = vcpu.tickPhaseNs === phasesByRule[id] ? null : vcpu.tickPhaseNs;
    const last = stretches.at(-1);
    if (last !== undefined && last.phaseNs === phaseNs && isSame(last.vcpu, vcpu)) last.count++;
    else stretches.push({ vcpu, phaseNs, count: 1 });
  });
  return stretches;
}

/** But for the phase. */
function isSame(a: VcpuConfig, b: VcpuConfig): boolean {
  return (
    a.nice === b.nice &&
    a.gpa === b.gpa &&
    (a.pcpus === b.pcpus || JSON.stringify(a.pcpus) === JSON.stringify(b.pcpus)) &&
    (a.workload === b.workload || JSON.stringify(a.workload) === JSON.stringify(b.workload))
  );
}

function vcpuEntry({ host }: Scenario, vcpu: VcpuConfig, phaseNs: Ns | null): Entry {
  return {
    workload: formatWorkload(vcpu.workload),
    ...(host === "fair" && { nice: vcpu.nice }),
    ...(vcpu.pcpus !== null && { pcpus: vcpu.pcpus }),
    ...(phaseNs !== null && { phase: formatDuration(phaseNs) }),
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

function timelineEntry(event: TimelineEvent): Entry {
  const { kind, atNs, forNs } = event;
  const entry = { at: formatDuration(atNs), event: kind, for: formatDuration(forNs) };
  switch (kind) {
    case "offline":
      return { ...entry, vcpu: event.vcpu };
    case "suspend":
      return entry;
    case "migrate":
      return { ...entry, stealFeature: event.stealFeature, tscKhz: event.tscKhz };
  }
}
