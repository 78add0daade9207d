import type { VcpuConfig, Workload } from "../engine/scenario.js";
import { LIMITS, throwProblems } from "../engine/scenario-check.js";
import type { Ns } from "../shared/units.js";
import type { SettingsSource } from "./scenario-file.js";
import { type Path, SETTING_KEYS, type SettingKey, type Settings } from "./scenario-schema.js";
import type { PerVcpu } from "./values.js";

/** A refusal whose place is already known: "--pin", "hogs.yaml:3:8: pin". */
export interface PlacedProblem {
  readonly where: string;
  readonly message: string;
}

/** @throws StealclockError `bad-input` when there are any */
export function refusePlaces(problems: readonly PlacedProblem[]): void {
  const asProblems = problems.map(({ where, message }) => ({ code: "bad-input" as const, path: where, message }));
  throwProblems(asProblems, (problem) => problem.path);
}

type VcpuEntry = Extract<NonNullable<Settings["vcpus"]>, readonly unknown[]>[number];
type EntryKey = Exclude<keyof VcpuEntry, "count">;

/** Where a field of a vCPU may be set: in a setting for several vCPUs at once, and in the vCPU's own entry of a file. */
interface VcpuField<T> {
  readonly settingKey: SettingKey | null;
  readonly entryKey: EntryKey;
  readonly inSettings: (settings: Settings) => PerVcpu<T> | undefined;
  readonly inEntry: (entry: VcpuEntry) => T | undefined;
}

/** The fields of a vCPU. */
export const VCPU_FIELDS = {
  workload: field<Workload>(
    "workload",
    "workload",
    (settings) => settings.workload,
    (entry) => entry.workload,
  ),
  nice: field<number>(
    "nice",
    "nice",
    (settings) => settings.nice,
    (entry) => entry.nice,
  ),
  pcpus: field<readonly number[]>(
    "pin",
    "pcpus",
    (settings) => settings.pin,
    (entry) => entry.pcpus,
  ),
  tickPhaseNs: field<Ns>(
    "tickPhase",
    "phase",
    ({ tickPhase }) => forAll(tickPhase),
    (entry) => entry.phase,
  ),
  gpa: field<number>(
    null,
    "gpa",
    () => undefined,
    (entry) => entry.gpa,
  ),
} as const satisfies Record<keyof VcpuConfig, unknown>;

function field<T>(
  settingKey: SettingKey | null,
  entryKey: EntryKey,
  inSettings: VcpuField<T>["inSettings"],
  inEntry: VcpuField<T>["inEntry"],
): VcpuField<T> {
  return { settingKey, entryKey, inSettings, inEntry };
}

function forAll<T>(value: T | undefined): PerVcpu<T> | undefined {
  return value === undefined ? undefined : { rest: value, byVcpu: new Map() };
}

/** Settings whose field in the scenario has another name. */
const SCENARIO_FIELDS: Readonly<Record<string, SettingKey>> = {
  durationNs: "duration",
  sliceNs: "slice",
  pollNs: "poll",
  "watchdog.thresholdNs": "watchdogThreshold",
  "watchdog.periodNs": "watchdogPeriod",
};

/** The flags above the file: who says what, and where it is said. */
export class SettingLayers {
  readonly sources: readonly SettingsSource[];

  /** @param sources the first that says something wins */
  constructor(sources: readonly SettingsSource[]) {
    this.sources = sources;
  }

  pick<K extends SettingKey>(key: K, fallback: NonNullable<Settings[K]>): NonNullable<Settings[K]> {
    for (const { settings } of this.sources) {
      const value = settings[key];
      if (value !== undefined && value !== null) return value;
    }
    return fallback;
  }

  /** How to call each place that sets this. */
  placesOf(key: SettingKey): string[] {
    return this.sources.filter(({ settings }) => settings[key] !== undefined).map(({ where }) => where([key]));
  }

  /** How to call each place in the entries of vCPUs that sets one of these. */
  placesInEntries(keys: readonly EntryKey[]): string[] {
    return this.sources.flatMap((source) =>
      entriesOf(source).flatMap((entry, index) =>
        keys.filter((key) => entry[key] !== undefined).map((key) => source.where(["vcpus", index, key])),
      ),
    );
  }

  /** @throws StealclockError `bad-input` when a file's entries add up to too many */
  vcpuCount(fallback: number): number {
    const source = this.sources.find(({ settings }) => settings.vcpus !== undefined);
    if (source === undefined) return fallback;
    if (typeof source.settings.vcpus === "number") return source.settings.vcpus;
    const total = entriesOf(source).reduce((sum, entry) => sum + (entry.count ?? 1), 0);
    const { max } = LIMITS.vcpus;
    if (total > max) {
      refusePlaces([{ where: source.where(["vcpus"]), message: `${total} vCPUs in all; accepted: at most ${max}` }]);
    }
    return total;
  }

  /** A field of one vCPU: what a source says of that very vCPU, else what it says of all of them. */
  pickForVcpu<T>(vcpuField: VcpuField<T>, id: number): T | undefined {
    for (const source of this.sources) {
      const found = findForVcpu(source, vcpuField, id);
      if (found !== undefined) return found.value;
    }
    return undefined;
  }

  /** How to call the place that a field of the scenario came from. */
  origin(path: string): string {
    const [head = "", index = "", name = ""] = path.split(".");
    if (head === "vcpus" && isVcpuField(name)) return this.originForVcpu(VCPU_FIELDS[name], Number(index));
    const key = SCENARIO_FIELDS[path] ?? SETTING_KEYS.find((settingKey) => settingKey === head);
    if (key === undefined) return path;
    const source = this.sources.find(({ settings }) => settings[key] !== undefined);
    if (source === undefined) return `${key}, by default`;
    if (name === "") return source.where([key]);
    return source.where([key, Number(index), name === "afterNs" ? "after" : name]);
  }

  private originForVcpu(vcpuField: VcpuField<unknown>, id: number): string {
    for (const source of this.sources) {
      const found = findForVcpu(source, vcpuField, id);
      if (found !== undefined) return source.where(found.path);
    }
    return `${vcpuField.entryKey}, by default`;
  }
}

function findForVcpu<T>(
  source: SettingsSource,
  { settingKey, entryKey, inSettings, inEntry }: VcpuField<T>,
  id: number,
): { value: T; path: Path } | undefined {
  const setting = inSettings(source.settings);
  const settingPath = settingKey === null ? [] : [settingKey];
  const named = setting?.byVcpu.get(id);
  if (named !== undefined) return { value: named, path: settingPath };
  const found = entryOf(source, id);
  const own = found === undefined ? undefined : inEntry(found.entry);
  if (found !== undefined && own !== undefined) return { value: own, path: ["vcpus", found.index, entryKey] };
  const rest = setting?.rest;
  return rest === undefined ? undefined : { value: rest, path: settingPath };
}

function isVcpuField(name: string): name is keyof typeof VCPU_FIELDS {
  return Object.hasOwn(VCPU_FIELDS, name);
}

function entriesOf({ settings }: SettingsSource): readonly VcpuEntry[] {
  return Array.isArray(settings.vcpus) ? settings.vcpus : [];
}

function entryOf(source: SettingsSource, id: number): { entry: VcpuEntry; index: number } | undefined {
  let next = 0;
  for (const [index, entry] of entriesOf(source).entries()) {
    next += entry.count ?? 1;
    if (id < next) return { entry, index };
  }
  return undefined;
}
