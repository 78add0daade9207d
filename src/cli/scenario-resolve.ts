import type { HostKind, HostTaskConfig, Scenario, VcpuConfig, WatchdogConfig } from "../engine/scenario.js";
import { findProblems, type Machine, scenarioWarnings, throwProblems } from "../engine/scenario-check.js";
import { NS_PER_MS, NS_PER_SECOND, type Ns, tickNsecOf } from "../shared/units.js";
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

  const hz = layers.pick("hz", 250);
  const scenario: Scenario = {
    host,
    durationNs: layers.pick("duration", 3 * NS_PER_SECOND),
    pcpus: host === "linux" ? 0 : layers.pick("pcpus", defaultPcpus(vcpuCount, machine.cores)),
    sliceNs: layers.pick("slice", 4 * NS_PER_MS),
    update: layers.pick("update", { kind: "entry" }),
    measure: layers.pick("measure", host === "linux" ? "wait" : "out-of-guest"),
    stealUnit: layers.pick("stealUnit", "ms"),
    stealFeature: layers.pick("stealFeature", true),
    accounting: layers.pick("accounting", "rfc-v2"),
    hz,
    tscKhz: layers.pick("tscKhz", 2_600_000),
    watchdog: watchdogConfig(layers),
    pollNs: layers.pick("poll", NS_PER_MS),
    vcpus: Array.from({ length: vcpuCount }, (_, id) => vcpuConfig(layers, id, vcpuCount, tickNsecOf(hz))),
    hostTasks: layers.pick("hostTasks", []).map(hostTaskConfig),
    faults: layers.pick("faults", []).map(({ kind, part, after }) => ({ kind, part, afterNs: after })),
  };
  throwProblems(findProblems(scenario, machine), (problem) => layers.origin(problem.path));
  return { scenario, warnings: scenarioWarnings(scenario, machine) };
}

/** The default tick phase: the grids of N vCPUs are spread evenly over one tick. */
export function staggeredPhaseNs(vcpu: number, vcpuCount: number, tickNs: Ns): Ns {
  return Math.floor((tickNs * (2 * vcpu + 1)) / (2 * vcpuCount));
}

/** Half the vCPUs, so that there is something to steal; and a core is left to the hypervisor. */
function defaultPcpus(vcpuCount: number, cores: number): number {
  return Math.max(1, Math.min(Math.floor(vcpuCount / 2), cores - 1));
}

function watchdogConfig(layers: SettingLayers): WatchdogConfig {
  const thresholdNs = layers.pick("watchdogThreshold", 20 * NS_PER_SECOND);
  // The kernel samples five times per threshold: 4 s for 20 s, 12 s for 60 s.
  const periodNs = layers.pick("watchdogPeriod", Math.floor(thresholdNs / 5));
  return { mode: layers.pick("watchdog", "steal-aware"), thresholdNs, periodNs };
}

function vcpuConfig(layers: SettingLayers, id: number, vcpuCount: number, tickNs: Ns): VcpuConfig {
  return {
    workload: layers.pickForVcpu(VCPU_FIELDS.workload, id) ?? { kind: "hog" },
    nice: layers.pickForVcpu(VCPU_FIELDS.nice, id) ?? 0,
    pcpus: layers.pickForVcpu(VCPU_FIELDS.pcpus, id) ?? null,
    tickPhaseNs: layers.pickForVcpu(VCPU_FIELDS.tickPhaseNs, id) ?? staggeredPhaseNs(id, vcpuCount, tickNs),
    gpa: layers.pickForVcpu(VCPU_FIELDS.gpa, id) ?? null,
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
