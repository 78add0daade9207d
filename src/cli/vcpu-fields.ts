import type { VcpuConfig, Workload } from "../engine/scenario.js";
import type { TickPhaseRule } from "../engine/tick-phases.js";
import type { Ns } from "../shared/units.js";
import type { SettingsSource } from "./scenario-file.js";
import type { Path, SettingKey, Settings } from "./scenario-schema.js";
import type { PerVcpu } from "./values.js";

export type VcpuEntry = Extract<NonNullable<Settings["vcpus"]>, readonly unknown[]>[number];
export type EntryKey = Exclude<keyof VcpuEntry, "count">;

/** Where a field of a vCPU may be set: in a setting for several vCPUs at once, and in the vCPU's own entry of a file. */
export interface VcpuField<T> {
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
  tickPhaseNs: field<Ns | TickPhaseRule>(
    "tickPhase",
    "phase",
    ({ tickPhase }) => (tickPhase === undefined ? undefined : { rest: tickPhase, byVcpu: new Map() }),
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

export function isVcpuField(name: string): name is keyof typeof VCPU_FIELDS {
  return Object.hasOwn(VCPU_FIELDS, name);
}

/** What one source, the flags or the file, says of single vCPUs. */
export class VcpuSettings {
  readonly source: SettingsSource;
  readonly entries: readonly VcpuEntry[];
  /** The first vCPU behind each entry: an entry stands for `count` of them. */
  readonly #ends: readonly number[];

  constructor(source: SettingsSource) {
    const { vcpus } = source.settings;
    this.source = source;
    this.entries = Array.isArray(vcpus) ? vcpus : [];
    let end = 0;
    this.#ends = this.entries.map(({ count = 1 }) => {
      end += count;
      return end;
    });
  }

  /** vCPUs that the entries stand for. */
  get count(): number {
    return this.#ends.at(-1) ?? 0;
  }

  /** What is said of that very vCPU, else what is said of all of them; and where. */
  find<T>(
    { settingKey, entryKey, inSettings, inEntry }: VcpuField<T>,
    id: number,
  ): { readonly value: T; readonly path: Path } | undefined {
    const setting = inSettings(this.source.settings);
    const settingPath = settingKey === null ? [] : [settingKey];
    const named = setting?.byVcpu.get(id);
    if (named !== undefined) return { value: named, path: settingPath };
    const index = this.#entryIndexOf(id);
    const entry = this.entries.at(index);
    const own = index < 0 || entry === undefined ? undefined : inEntry(entry);
    if (own !== undefined) return { value: own, path: ["vcpus", index, entryKey] };
    const rest = setting?.rest;
    return rest === undefined ? undefined : { value: rest, path: settingPath };
  }

  /** @returns -1 when no entry stands for this vCPU */
  #entryIndexOf(id: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#ends[middle] <= id) low = middle + 1;
      else high = middle;
    }
    return low < this.#ends.length ? low : -1;
  }
}
