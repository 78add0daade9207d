import { defaultScenario } from "../engine/default-scenario.js";
import type { HostTaskConfig, Scenario, TimelineEvent, VcpuConfig } from "../engine/scenario.js";
import { GUEST_PAGE_BYTES } from "../shared/pvclock-page.js";
import { NS_PER_MS, NS_PER_US, type Ns, tickNsecOf } from "../shared/units.js";

const PLAIN_VCPU: VcpuConfig = { workload: { kind: "hog" }, nice: 0, pcpus: null, tickPhaseNs: 0, gpa: null };
const PLAIN_TASK: HostTaskConfig = { workload: { kind: "hog" }, nice: 0, pcpus: null };

/** Scenarios that are a step simpler than one, the largest steps first. */
export function* simplerScenarios(scenario: Scenario): Generator<Scenario> {
  yield* shorter(scenario);
  yield* withFewerVcpus(scenario);
  yield* without(scenario, "hostTasks");
  yield* without(scenario, "timeline");
  yield* withFewerPcpus(scenario);
  yield* withDefaults(scenario);
  yield* withPlainer(scenario, "vcpus", PLAIN_VCPU);
  yield* withPlainer(scenario, "hostTasks", PLAIN_TASK);
  yield* withPlainerEvents(scenario);
}

function* shorter(scenario: Scenario): Generator<Scenario> {
  for (const part of [0.5, 0.75, 0.95]) {
    const durationNs = roundedNs(scenario.durationNs * part);
    if (durationNs < NS_PER_MS || durationNs >= scenario.durationNs) continue;
    yield { ...scenario, durationNs, timeline: scenario.timeline.filter(({ atNs }) => atNs < durationNs) };
  }
}

/** Figures that a reader can remember. */
function roundedNs(ns: Ns): Ns {
  const unitNs = ns >= 10 * NS_PER_MS ? NS_PER_MS : 10 * NS_PER_US;
  return Math.max(unitNs, Math.floor(ns / unitNs) * unitNs);
}

function* withFewerVcpus(scenario: Scenario): Generator<Scenario> {
  const count = scenario.vcpus.length;
  for (let chunk = Math.floor(count / 2); chunk >= 1; chunk = Math.floor(chunk / 2)) {
    for (let from = 0; from + chunk <= count; from += chunk) {
      yield keepVcpus(scenario, (id) => id < from || id >= from + chunk);
    }
  }
}

/** Numbers close up: events of the vCPUs go along, and pages of their own. */
function keepVcpus(scenario: Scenario, isKept: (id: number) => boolean): Scenario {
  const kept = [...scenario.vcpus.keys()].filter(isKept);
  return {
    ...scenario,
    vcpus: kept.map((id, number) => {
      const vcpu = scenario.vcpus[id];
      return vcpu.gpa === null ? vcpu : { ...vcpu, gpa: vcpu.gpa - (id - number) * GUEST_PAGE_BYTES };
    }),
    timeline: scenario.timeline.flatMap((event): TimelineEvent[] => {
      if (event.kind !== "offline") return [event];
      return isKept(event.vcpu) ? [{ ...event, vcpu: kept.indexOf(event.vcpu) }] : [];
    }),
  };
}

function* without(scenario: Scenario, list: "hostTasks" | "timeline"): Generator<Scenario> {
  const { length } = scenario[list];
  if (length > 1) yield { ...scenario, [list]: [] };
  for (let index = 0; index < length; index++) {
    yield { ...scenario, [list]: scenario[list].filter((_, other) => other !== index) };
  }
}

function* withFewerPcpus(scenario: Scenario): Generator<Scenario> {
  for (const pcpus of new Set([1, Math.floor(scenario.pcpus / 2), scenario.pcpus - 1])) {
    if (pcpus < 1 || pcpus >= scenario.pcpus) continue;
    const narrow = <T extends VcpuConfig | HostTaskConfig>(config: T): T => {
      const left = config.pcpus?.filter((pcpu) => pcpu < pcpus) ?? null;
      return { ...config, pcpus: left?.length === 0 ? [pcpus - 1] : left };
    };
    yield { ...scenario, pcpus, vcpus: scenario.vcpus.map(narrow), hostTasks: scenario.hostTasks.map(narrow) };
  }
}

const SETTINGS = [
  "startAtNs",
  "pageMemory",
  "tscKhz",
  "update",
  "measure",
  "stealUnit",
  "stealFeature",
  "accounting",
  "watchdog",
  "sliceNs",
] as const;

function* withDefaults(scenario: Scenario): Generator<Scenario> {
  const plain = defaultScenario(1);
  for (const noise of ["jitterPercent", "wakeLatencyNs", "hostNoiseNs"] as const) {
    if (scenario.chance[noise] !== 0) yield { ...scenario, chance: { ...scenario.chance, [noise]: 0 } };
  }
  for (const setting of SETTINGS) {
    if (!isSame(scenario[setting], plain[setting])) yield { ...scenario, [setting]: plain[setting] };
  }
  if (scenario.hz !== plain.hz) {
    const lastNs = tickNsecOf(plain.hz) - 1;
    const vcpus = scenario.vcpus.map((vcpu) => ({ ...vcpu, tickPhaseNs: Math.min(vcpu.tickPhaseNs, lastNs) }));
    yield { ...scenario, hz: plain.hz, vcpus };
  }
}

/** Every field of a list's entries as in a plain one: in all entries, then in each. */
function* withPlainer<T extends "vcpus" | "hostTasks">(
  scenario: Scenario,
  list: T,
  plain: Scenario[T][number],
): Generator<Scenario> {
  for (const [field, value] of Object.entries(plain)) {
    const differing = scenario[list].flatMap((entry, index) =>
      isSame(Object.entries(entry).find(([key]) => key === field)?.[1], value) ? [] : [index],
    );
    if (differing.length === 0) continue;
    for (const changed of differing.length > 1 ? [differing, ...differing.map((index) => [index])] : [differing]) {
      const entries = scenario[list].map((entry, index) =>
        changed.includes(index) ? { ...entry, [field]: value } : entry,
      );
      yield { ...scenario, [list]: entries };
    }
  }
}

function* withPlainerEvents(scenario: Scenario): Generator<Scenario> {
  for (const [index, event] of scenario.timeline.entries()) {
    const replace = (simpler: TimelineEvent): Scenario => ({
      ...scenario,
      timeline: scenario.timeline.map((other, at) => (at === index ? simpler : other)),
    });
    const { atNs, forNs } = event;
    if (event.kind === "migrate") yield replace({ kind: "suspend", atNs, forNs });
    const shorterNs = roundedNs(forNs / 2);
    if (shorterNs < forNs) yield replace({ ...event, forNs: shorterNs });
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
