import { DEFAULT_HZ, defaultScenario } from "../engine/default-scenario.js";
import type { Machine } from "../engine/machine.js";
import type {
  EngineKind,
  HostTaskConfig,
  Scenario,
  TimelineEvent,
  VcpuConfig,
  WatchdogConfig,
} from "../engine/scenario.js";
import { findProblems, scenarioWarnings } from "../engine/scenario-check.js";
import { throwProblems } from "../engine/scenario-problem.js";
import { defaultPhaseRule, phasesByRuleNs, type TickPhaseRule } from "../engine/tick-phases.js";
import { type Ns, tickNsecOf } from "../shared/units.js";
import { contradictions } from "./contradictions.js";
import type { SettingsSource } from "./scenario-file.js";
import type { Settings } from "./scenario-schema.js";
import { drawSeed } from "./seed.js";
import { refusePlaces, SettingLayers } from "./setting-layers.js";
import type { TimelineSetting } from "./timeline-schema.js";
import { VCPU_FIELDS } from "./vcpu-fields.js";

export interface ResolvedScenario {
  readonly scenario: Scenario;
  readonly warnings: readonly string[];
  /** Nobody gave the virtual engine a seed, so one was drawn: who wants to repeat the run has to be told. */
  readonly seedDrawn: boolean;
}

/**
 * Fills in every default and checks the whole. Flags win over the file.
 *
 * @param draw where the seed of a run in virtual time comes from that was given none
 * @throws StealclockError `bad-input` or `unsupported`, naming the flag or the line that is at fault
 */
export function resolveScenario(
  flags: SettingsSource,
  file: SettingsSource | null,
  machine: Machine,
  draw: () => number = drawSeed,
): ResolvedScenario {
  const layers = new SettingLayers(file === null ? [flags] : [flags, file]);
  const meantFor = layers.pick("engines", []);
  const engine = layers.pick("engine", meantFor.at(0) ?? "real");
  const host = layers.pick("host", "fair");
  const vcpuCount = layers.vcpuCount(2, engine);
  refusePlaces(contradictions(layers, engine, host, vcpuCount));

  const linux = host === "linux";
  const seedDrawn = engine === "virtual" && layers.find("seed") === undefined;
  const seed = seedDrawn ? draw() : layers.pick("seed", 0);
  // Nothing of the machine may enter a run in virtual time.
  const cores = engine === "virtual" ? undefined : machine.cores;
  const byDefault = defaultScenario(vcpuCount, layers.pick("hz", DEFAULT_HZ), cores);
  const stealFeature = layers.pick("stealFeature", byDefault.stealFeature);
  const tscKhz = layers.pick("tscKhz", byDefault.tscKhz);
  const scenario: Scenario = {
    ...byDefault,
    engine,
    seed,
    host,
    durationNs: layers.pick("duration", byDefault.durationNs),
    pcpus: linux ? 0 : layers.pick("pcpus", byDefault.pcpus),
    sliceNs: layers.pick("slice", byDefault.sliceNs),
    update: layers.pick("update", byDefault.update),
    measure: layers.pick("measure", linux ? "wait" : byDefault.measure),
    stealUnit: layers.pick("stealUnit", byDefault.stealUnit),
    stealFeature,
    accounting: layers.pick("accounting", byDefault.accounting),
    hz: byDefault.hz,
    tscKhz,
    watchdog: watchdogConfig(layers, byDefault.watchdog),
    pollNs: layers.pick("poll", byDefault.pollNs),
    vcpus: vcpuConfigs(layers, engine, seed, byDefault),
    hostTasks: layers.pick("hostTasks", []).map(hostTaskConfig),
    faults: layers.pick("faults", []).map(({ kind, part, after }) => ({ kind, part, afterNs: after })),
    chance: {
      jitterPercent: layers.pick("jitter", byDefault.chance.jitterPercent),
      wakeLatencyNs: layers.pick("wakeLatency", byDefault.chance.wakeLatencyNs),
      hostNoiseNs: layers.pick("hostNoise", byDefault.chance.hostNoiseNs),
    },
    startAtNs: layers.pick("startAt", byDefault.startAtNs),
    timeline: timelineOf(layers, { stealFeature, tscKhz }),
    pageMemory: layers.pick("pageMemory", byDefault.pageMemory),
  };
  throwProblems(findProblems(scenario, machine), (problem) => layers.origin(problem.path));
  return { scenario, warnings: [...engineWarnings(layers, engine), ...scenarioWarnings(scenario, machine)], seedDrawn };
}

function engineWarnings(layers: SettingLayers, engine: EngineKind): string[] {
  const meantFor = layers.pick("engines", [engine]);
  if (meantFor.includes(engine)) return [];
  return [`${layers.placeOf("engines")}: meant for the ${meantFor.join(" or the ")} engine, not for the ${engine} one`];
}

function watchdogConfig(layers: SettingLayers, byDefault: WatchdogConfig): WatchdogConfig {
  const thresholdNs = layers.pick("watchdogThreshold", byDefault.thresholdNs);
  // The kernel samples five times per threshold: 4 s for 20 s, 12 s for 60 s.
  const periodNs = layers.pick("watchdogPeriod", Math.floor(thresholdNs / 5));
  return { mode: layers.pick("watchdog", byDefault.mode), thresholdNs, periodNs };
}

function vcpuConfigs(layers: SettingLayers, engine: EngineKind, seed: number, { hz, vcpus }: Scenario): VcpuConfig[] {
  const byRule = new Map<TickPhaseRule, Ns[]>();
  const phasesNs = (rule: TickPhaseRule): Ns[] => {
    const known = byRule.get(rule);
    if (known !== undefined) return known;
    const phases = phasesByRuleNs(rule, seed, vcpus.length, tickNsecOf(hz));
    byRule.set(rule, phases);
    return phases;
  };
  return vcpus.map((byDefault, id) => {
    const phase = layers.pickForVcpu(VCPU_FIELDS.tickPhaseNs, id) ?? defaultPhaseRule(engine);
    return {
      workload: layers.pickForVcpu(VCPU_FIELDS.workload, id) ?? byDefault.workload,
      nice: layers.pickForVcpu(VCPU_FIELDS.nice, id) ?? byDefault.nice,
      pcpus: layers.pickForVcpu(VCPU_FIELDS.pcpus, id) ?? byDefault.pcpus,
      tickPhaseNs: typeof phase === "number" ? phase : phasesNs(phase)[id],
      gpa: layers.pickForVcpu(VCPU_FIELDS.gpa, id) ?? byDefault.gpa,
    };
  });
}

function hostTaskConfig(task: NonNullable<Settings["hostTasks"]>[number]): HostTaskConfig {
  return { workload: task.workload, nice: task.nice ?? 0, pcpus: task.pcpus ?? null };
}

/** What a machine that moves finds on its host. */
type HostFeatures = Pick<Scenario, "stealFeature" | "tscKhz">;

/** @param first the host that the machine starts on */
function timelineOf(layers: SettingLayers, first: HostFeatures): TimelineEvent[] {
  let host = first;
  return layers.timeline().map(({ event: setting }) => {
    const event = timelineEvent(setting, host);
    if (event.kind === "migrate") host = event;
    return event;
  });
}

function timelineEvent(setting: TimelineSetting, host: HostFeatures): TimelineEvent {
  const span = { atNs: setting.at, forNs: setting.for };
  switch (setting.event) {
    case "offline":
      return { kind: "offline", ...span, vcpu: setting.vcpu };
    case "suspend":
      return { kind: "suspend", ...span };
    case "migrate": {
      const { stealFeature = host.stealFeature, tscKhz = host.tscKhz } = setting;
      return { kind: "migrate", ...span, stealFeature, tscKhz };
    }
  }
}
