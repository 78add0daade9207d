import { isDeepStrictEqual } from "node:util";
import type { RunResult } from "../engine/result.js";
import type { Scenario } from "../engine/scenario.js";
import { phasesByRuleNs } from "../engine/tick-phases.js";
import { formatDuration, tickNsecOf } from "../shared/units.js";
import { pathText } from "./path-text.js";
import type { Path } from "./scenario-schema.js";
import { formatNumberSet } from "./values.js";

/** A setting in which two runs differ. */
export interface SettingDifference {
  /** "update.kind", or "vcpus[0-3].nice" for vCPUs that differ in the same way. */
  readonly path: string;
  /** The setting that this is a part of: "update". */
  readonly setting: string;
  readonly a: unknown;
  readonly b: unknown;
}

/** Every setting in which two runs differ, and the engine and its seed if they do. */
export function settingDifferences(a: RunResult, b: RunResult): SettingDifference[] {
  return groupByIndex(walk([], settingsOf(a), settingsOf(b)));
}

/** A difference as it is printed: "update.kind: pcpu-change | entry". */
export function differenceText({ path, a, b }: SettingDifference): string {
  return `${path}: ${valueText(path, a)} | ${valueText(path, b)}`;
}

interface Difference {
  readonly path: Path;
  readonly a: unknown;
  readonly b: unknown;
}

function settingsOf({ engine, seed, config }: RunResult): unknown {
  return { ...config, engine, seed, vcpus: vcpusOf(config) };
}

/** Tick phases that follow by a rule from HZ, seed and the number of vCPUs are no settings of their own. */
function vcpusOf({ vcpus, hz, seed }: Scenario): unknown[] {
  const rules = (["staggered", "random"] as const).map((rule) => ({
    rule,
    phasesNs: phasesByRuleNs(rule, seed, vcpus.length, tickNsecOf(hz)),
  }));
  return vcpus.map((vcpu, id) => {
    const found = rules.find(({ phasesNs }) => phasesNs[id] === vcpu.tickPhaseNs);
    return { ...vcpu, tickPhaseNs: found?.rule ?? vcpu.tickPhaseNs };
  });
}

function walk(path: Path, a: unknown, b: unknown): Difference[] {
  if (isMap(a) && isMap(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => walk([...path, key], a[key], b[key]));
  }
  if (isListOfMaps(a) && isListOfMaps(b)) {
    const common = Math.min(a.length, b.length);
    const lengths = a.length === b.length ? [] : [{ path: [...path, "length"], a: a.length, b: b.length }];
    return [...lengths, ...a.slice(0, common).flatMap((item, index) => walk([...path, index], item, b[index]))];
  }
  // What one document does not have is what the other has as null.
  return isDeepStrictEqual(a ?? null, b ?? null) ? [] : [{ path, a: a ?? null, b: b ?? null }];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isListOfMaps(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.every(isMap);
}

/** One entry for all members of a list that differ in the same way. */
function groupByIndex(differences: readonly Difference[]): SettingDifference[] {
  const groups = new Map<string, { readonly difference: Difference; readonly indices: number[] }>();
  for (const difference of differences) {
    const { path, a, b } = difference;
    const key = JSON.stringify([path.map((step) => (typeof step === "number" ? "[]" : step)), a, b]);
    const group = groups.get(key) ?? { difference, indices: [] };
    group.indices.push(...path.filter((step) => typeof step === "number"));
    groups.set(key, group);
  }
  return [...groups.values()].map(({ difference: { path, a, b }, indices }) => ({
    path: pathText(path).replace(/\[\d+\]/, `[${formatNumberSet(indices, ",")}]`),
    setting: String(path[0]),
    a,
    b,
  }));
}

function valueText(path: string, value: unknown): string {
  if (value === null) return "unset";
  if (Array.isArray(value)) return value.every(Number.isInteger) ? formatNumberSet(value) : JSON.stringify(value);
  if (typeof value === "number") return path.endsWith("Ns") ? formatDuration(value) : `${value}`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
