import type { EngineKind } from "../engine/scenario.js";
import { ACCEPTED_COUNTS, COUNT_LIMITS } from "../engine/scenario-limits.js";
import { throwProblems } from "../engine/scenario-problem.js";
import type { SettingsSource } from "./scenario-file.js";
import { type Path, SETTING_KEYS, type SettingKey, type Settings } from "./scenario-schema.js";
import type { TimelineSetting } from "./timeline-schema.js";
import { type EntryKey, isVcpuField, VCPU_FIELDS, type VcpuField, VcpuSettings } from "./vcpu-fields.js";

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

/** Settings whose field in the scenario has another name. */
const SCENARIO_FIELDS: Readonly<Record<string, SettingKey>> = {
  durationNs: "duration",
  sliceNs: "slice",
  pollNs: "poll",
  "watchdog.thresholdNs": "watchdogThreshold",
  "watchdog.periodNs": "watchdogPeriod",
  "chance.jitterPercent": "jitter",
  "chance.wakeLatencyNs": "wakeLatency",
  "chance.hostNoiseNs": "hostNoise",
  startAtNs: "startAt",
};

/** The same of the entries of a list. */
const ENTRY_FIELDS: Readonly<Record<string, string>> = { afterNs: "after", atNs: "at", forNs: "for" };

/** The flags above the file: who says what, and where it is said. */
export class SettingLayers {
  readonly sources: readonly SettingsSource[];
  readonly #vcpuSettings: readonly VcpuSettings[];

  /** @param sources the first that says something wins */
  constructor(sources: readonly SettingsSource[]) {
    this.sources = sources;
    this.#vcpuSettings = sources.map((source) => new VcpuSettings(source));
  }

  /** @returns undefined when nobody says anything */
  find<K extends SettingKey>(key: K): Settings[K] {
    return this.#sourceOf(key)?.settings[key];
  }

  pick<K extends SettingKey>(key: K, fallback: NonNullable<Settings[K]>): NonNullable<Settings[K]> {
    return this.find(key) ?? fallback;
  }

  /** How to call the place whose value counts, or null when nobody says anything. */
  placeOf(key: SettingKey): string | null {
    return this.#sourceOf(key)?.where([key]) ?? null;
  }

  /** How to call each place that sets this. */
  placesOf(key: SettingKey): string[] {
    return this.sources.filter(({ settings }) => settings[key] !== undefined).map(({ where }) => where([key]));
  }

  /** How to call each place in the entries of vCPUs that sets one of these. */
  placesInEntries(keys: readonly EntryKey[]): string[] {
    return this.#vcpuSettings.flatMap(({ source, entries }) =>
      entries.flatMap((entry, index) =>
        keys.filter((key) => entry[key] !== undefined).map((key) => source.where(["vcpus", index, key])),
      ),
    );
  }

  /** @throws StealclockError `bad-input` when there are more than the engine takes */
  vcpuCount(fallback: number, engine: EngineKind): number {
    const own = this.#vcpuSettings.find(({ source }) => source.settings.vcpus !== undefined);
    if (own === undefined) return fallback;
    const { vcpus } = own.source.settings;
    const total = typeof vcpus === "number" ? vcpus : own.count;
    if (total > COUNT_LIMITS[engine].max) {
      const what = typeof vcpus === "number" ? "vCPUs" : "vCPUs in all";
      const message = `${total} ${what} are too many for the ${engine} engine; accepted: ${ACCEPTED_COUNTS}`;
      refusePlaces([{ where: own.source.where(["vcpus"]), message }]);
    }
    return total;
  }

  /** A field of one vCPU: what a source says of that very vCPU, else what it says of all of them. */
  pickForVcpu<T>(vcpuField: VcpuField<T>, id: number): T | undefined {
    for (const settings of this.#vcpuSettings) {
      const found = settings.find(vcpuField, id);
      if (found !== undefined) return found.value;
    }
    return undefined;
  }

  /** The events of a timeline in order of time, each with its place in the file's list. */
  timeline(): readonly { readonly event: TimelineSetting; readonly index: number }[] {
    const events = this.pick("timeline", []).map((event, index) => ({ event, index }));
    return events.sort((a, b) => a.event.at - b.event.at);
  }

  /** How to call the place that a field of the scenario came from. */
  origin(path: string): string {
    const [head = "", index = "", name = ""] = path.split(".");
    if (head === "vcpus" && isVcpuField(name)) return this.#originForVcpu(VCPU_FIELDS[name], Number(index));
    const key = SCENARIO_FIELDS[path] ?? SETTING_KEYS.find((settingKey) => settingKey === head);
    if (key === undefined) return path;
    const source = this.#sourceOf(key);
    if (source === undefined) return `${key}, by default`;
    return source.where([key, ...this.#pathInList(key, index, name)]);
  }

  #pathInList(key: SettingKey, index: string, name: string): Path {
    if (name === "") return [];
    const sorted = Number(index);
    const written = key === "timeline" ? (this.timeline().at(sorted)?.index ?? sorted) : sorted;
    return [written, ENTRY_FIELDS[name] ?? name];
  }

  #sourceOf(key: SettingKey): SettingsSource | undefined {
    return this.sources.find(({ settings }) => settings[key] !== undefined && settings[key] !== null);
  }

  #originForVcpu(vcpuField: VcpuField<unknown>, id: number): string {
    for (const settings of this.#vcpuSettings) {
      const found = settings.find(vcpuField, id);
      if (found !== undefined) return settings.source.where(found.path);
    }
    return `${vcpuField.entryKey}, by default`;
  }
}
