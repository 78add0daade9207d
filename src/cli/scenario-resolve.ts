import { DEFAULT_HZ, defaultScenario } from "../engine/default-scenario.js";
import type { HostKind, HostTaskConfig, Scenario, VcpuConfig, WatchdogConfig } from "../engine/scenario.js";
import { findProblems, type Machine, scenarioWarnings, throwProblems } from "../engine/scenario-check.js";
import type { SettingsSource } from "./scenario-file.js";
import { FAIR_ONLY, LINUX_ONLY, type Settings } from "./scenario-schema.js";
import { type PlacedProblem, refusePlaces, SettingLayers, VCPU_FIELDS } from "./setting-layers.js";
import { nameVcpus } from "./values.js";

export interface ResolvedScenario {
  readonly scenario: Scenario;
  readonly warnings: readonly string[];
}

/**
 * Fills in every default and checks the whole. Flags win over the file.
 *
 * @throws StealclockError `bad-input` or `unsupported`, naming the flag or the line that is at fault
 */
export function resolveScenario(
  flags: SettingsSource,
  file: SettingsSource | null,
  machine: Machine,
): ResolvedScenario {
  const layers = new SettingLayers(file === null ? [flags] : [flags, file]);
  const host = layers.pick("host", "fair");
  const vcpuCount = layers.vcpuCount(2);
  refusePlaces([...contradictions(layers, host), ...strangers(layers, vcpuCount)]);

  const byDefault = defaultScenario(vcpuCount, layers.pick("hz", DEFAULT_HZ), machine.cores);
  const linux = host === "linux";
  const scenario: Scenario = {
    ...byDefault,
    host,
    durationNs: layers.pick("duration", byDefault.durationNs),
    pcpus: linux ? 0 : layers.pick("pcpus", byDefault.pcpus),
    sliceNs: layers.pick("slice", byDefault.sliceNs),
    update: layers.pick("update", byDefault.update),
    measure: layers.pick("measure", linux ? "wait" : byDefault.measure),
    stealUnit: layers.pick("stealUnit", byDefault.stealUnit),
    stealFeature: layers.pick("stealFeature", byDefault.stealFeature),
    accounting: layers.pick("accounting", byDefault.accounting),
    hz: byDefault.hz,
    tscKhz: layers.pick("tscKhz", byDefault.tscKhz),
    watchdog: watchdogConfig(layers, byDefault.watchdog),
    pollNs: layers.pick("poll", byDefault.pollNs),
    vcpus: byDefault.vcpus.map((vcpu, id) => vcpuConfig(layers, id, vcpu)),
    hostTasks: layers.pick("hostTasks", []).map(hostTaskConfig),
    faults: layers.pick("faults", []).map(({ kind, part, after }) => ({ kind, part, afterNs: after })),
  };
  throwProblems(findProblems(scenario, machine), (problem) => layers.origin(problem.path));
  return { scenario, warnings: scenarioWarnings(scenario, machine) };
}

function watchdogConfig(layers: SettingLayers, byDefault: WatchdogConfig): WatchdogConfig {
  const thresholdNs = layers.pick("watchdogThreshold", byDefault.thresholdNs);
  // The kernel samples five times per threshold: 4 s for 20 s, 12 s for 60 s.
  const periodNs = layers.pick("watchdogPeriod", Math.floor(thresholdNs / 5));
  return { mode: layers.pick("watchdog", byDefault.mode), thresholdNs, periodNs };
}

function vcpuConfig(layers: SettingLayers, id: number, byDefault: VcpuConfig): VcpuConfig {
  return {
    workload: layers.pickForVcpu(VCPU_FIELDS.workload, id) ?? byDefault.workload,
    nice: layers.pickForVcpu(VCPU_FIELDS.nice, id) ?? byDefault.nice,
    pcpus: layers.pickForVcpu(VCPU_FIELDS.pcpus, id) ?? byDefault.pcpus,
    tickPhaseNs: layers.pickForVcpu(VCPU_FIELDS.tickPhaseNs, id) ?? byDefault.tickPhaseNs,
    gpa: layers.pickForVcpu(VCPU_FIELDS.gpa, id) ?? byDefault.gpa,
  };
}

function hostTaskConfig(task: NonNullable<Settings["hostTasks"]>[number]): HostTaskConfig {
  return { workload: task.workload, nice: task.nice ?? 0, pcpus: task.pcpus ?? null };
}

/** Settings that the chosen host does not have. */
function contradictions(layers: SettingLayers, host: HostKind): PlacedProblem[] {
  const foreign = host === "linux" ? FAIR_ONLY : LINUX_ONLY;
  const other = host === "linux" ? "fair" : "linux";
  const message = `the ${host} host does not have this; accepted: leave it out, or --host ${other}`;
  const places = foreign.flatMap((key) => layers.placesOf(key));
  if (host === "linux") places.push(...layers.placesInEntries(["nice", "pcpus"]));
  return places.map((where) => ({ where, message }));
}

/** vCPUs that a setting names and that are not there. */
function strangers(layers: SettingLayers, vcpuCount: number): PlacedProblem[] {
  const keys = ["workload", "nice", "pin"] as const;
  return keys.flatMap((key) =>
    layers.sources.flatMap(({ settings, where }) => {
      const named = settings[key]?.byVcpu.keys() ?? [];
      const absent = [...named].filter((id) => id >= vcpuCount).sort((a, b) => a - b);
      if (absent.length === 0) return [];
      const accepted = vcpuCount === 1 ? "there is one vCPU, 0" : `there are vCPUs 0 to ${vcpuCount - 1}`;
      const message = `names ${nameVcpus(absent)}, not there; accepted: ${accepted}`;
      return [{ where: where([key]), message }];
    }),
  );
}
