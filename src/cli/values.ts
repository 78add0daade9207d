import type { HostTaskConfig, UpdatePolicy, Workload } from "../engine/scenario.js";
import { ACCEPTED_COUNTS, isOutside, LIMITS, type Range } from "../engine/scenario-limits.js";
import type { TickPhaseRule } from "../engine/tick-phases.js";
import { DURATION_UNITS, formatDuration, type Ns, parseDuration } from "../shared/units.js";
import { didYouMean } from "./suggest.js";

/*
 * The text of every setting, as a flag gives it or as a scalar in a scenario file: parsing and its inverse.
 */

/** A value that is not accepted; the message says what is. */
export class Refused extends Error {}

/** A value for some vCPUs; `rest` is for those not named, when it was given. */
export interface PerVcpu<T> {
  readonly rest?: T;
  readonly byVcpu: ReadonlyMap<number, T>;
}

/** What a flag or a YAML scalar may hold: `--nice 5` and `nice: 5` are numbers, `--nice 0=5` is text. */
export type Scalar = string | number;

/** The scalar that YAML would make of a flag's text. */
export function scalarOf(text: string): Scalar {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

/** A value as the user wrote it, for messages. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "object") return "a map";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

export function refuse(value: unknown, what: string, accepted: string): never {
  throw new Refused(`${show(value)} is not ${what}; accepted: ${accepted}`);
}

export function asDuration(value: unknown): Ns {
  const ns = typeof value === "string" ? parseDuration(value) : value === 0 ? 0 : null;
  return ns ?? refuse(value, "a duration", `a number and a unit (${DURATION_UNITS}) up to 100d, such as 4ms`);
}

/** @param forms what messages say is accepted */
export function asInteger(
  value: unknown,
  what: string,
  range: Range,
  forms = `an integer from ${range.min} to ${range.max}`,
): number {
  return typeof value === "number" && !isOutside(value, range) ? value : refuse(value, what, forms);
}

/** A number of vCPUs or pCPUs, of whichever engine takes more; that of the scenario's is known later. */
export function asCount(value: unknown, what: string, forms = ACCEPTED_COUNTS): number {
  return asInteger(value, what, LIMITS.count, forms);
}

/** "10%": a whole percentage. */
export function asJitter(value: unknown): number {
  const { min, max } = LIMITS.jitterPercent;
  const [, digits] = typeof value === "string" ? (/^(\d{1,3})%$/.exec(value) ?? []) : [];
  const percent = Number(digits ?? Number.NaN);
  return isOutside(percent, LIMITS.jitterPercent)
    ? refuse(value, "a jitter", `a whole percentage from ${min}% to ${max}%, such as 10%`)
    : percent;
}

const TICK_PHASE_RULES = ["staggered", "random"] as const satisfies readonly TickPhaseRule[];
export const TICK_PHASE_FORMS = "staggered, random, or a duration below one tick such as 250us";

export function asTickPhase(value: unknown): Ns | TickPhaseRule {
  const ns = typeof value === "string" ? parseDuration(value) : value === 0 ? 0 : null;
  return ns ?? asChoice(value, "a tick phase", TICK_PHASE_RULES, TICK_PHASE_FORMS);
}

const SIZE_UNIT_BYTES: Readonly<Record<string, number>> = { "": 1, KiB: 1024, MiB: 1_048_576, GiB: 1_073_741_824 };

/** "64MiB": bytes, or so many KiB, MiB or GiB. */
export function asSize(value: unknown): number {
  const [, digits, unit = ""] = /^(\d{1,15})(KiB|MiB|GiB)?$/.exec(String(value)) ?? [];
  const bytes = Number(digits ?? Number.NaN) * (SIZE_UNIT_BYTES[unit] ?? Number.NaN);
  return isOutside(bytes, LIMITS.eventBytes)
    ? refuse(value, "a size", "bytes, or a number and KiB, MiB or GiB, from 1 to 1024GiB, such as 64MiB")
    : bytes;
}

export function asBoolean(value: unknown): boolean {
  return typeof value === "boolean" ? value : refuse(value, "true or false", "true, false");
}

/** @param forms what messages say is accepted */
export function asChoice<T extends Scalar>(
  value: unknown,
  what: string,
  choices: readonly T[],
  forms = choices.join(", "),
): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const hint = typeof value === "string" ? didYouMean(value, choices.map(String)) : "";
  return refuse(value, what, `${forms}${hint}`);
}

const WORKLOAD_KINDS = ["hog", "kernel", "mixed", "idle", "stuck"] as const;
export const WORKLOAD_FORMS = "hog, kernel, duty:70%/10ms, mixed, idle, stuck";

export function asWorkload(value: unknown): Workload {
  if (typeof value !== "string") return refuse(value, "a workload", WORKLOAD_FORMS);
  if (value.startsWith("duty")) return parseDuty(value);
  return { kind: asChoice(value, "a workload", WORKLOAD_KINDS, WORKLOAD_FORMS) };
}

/** "duty:70%/10ms" (a whole percentage of the period) or "duty:7ms/10ms". */
function parseDuty(text: string): Extract<Workload, { kind: "duty" }> {
  const match = /^duty:(?:(\d{1,3})%|([^%/]+))\/([^/]+)$/.exec(text);
  const [, percent, busy, period = ""] = match ?? [];
  const periodNs = parseDuration(period);
  const busyNs =
    percent === undefined ? parseDuration(busy ?? "") : Math.floor(((periodNs ?? 0) * Number(percent)) / 100);
  if (periodNs === null || busyNs === null) {
    return refuse(text, "a duty cycle", "duty:BUSY/PERIOD, such as duty:70%/10ms or duty:7ms/10ms");
  }
  return { kind: "duty", busyNs, periodNs };
}

export function formatWorkload(workload: Workload): string {
  if (workload.kind !== "duty") return workload.kind;
  const { busyNs, periodNs } = workload;
  const percent = Math.ceil((busyNs * 100) / periodNs);
  // A percentage only when it gives back the very same busy time.
  const exact = Math.floor((periodNs * percent) / 100) === busyNs;
  return `duty:${exact ? `${percent}%` : formatDuration(busyNs)}/${formatDuration(periodNs)}`;
}

export const UPDATE_FORMS = "entry, pcpu-change, steal-entry, periodic=1ms";

export function asUpdate(value: unknown): UpdatePolicy {
  const match = typeof value === "string" ? /^periodic=(.+)$/.exec(value) : null;
  const periodNs = parseDuration(match?.[1] ?? "");
  if (periodNs !== null) return { kind: "periodic", periodNs };
  return { kind: asChoice(value, "an update policy", ["entry", "pcpu-change", "steal-entry"], UPDATE_FORMS) };
}

export function formatUpdate(update: UpdatePolicy): string {
  return update.kind === "periodic" ? `periodic=${formatDuration(update.periodNs)}` : update.kind;
}

/** "3", "0-2" or "0-2+5": numbers in rising order. */
export function parseNumberSet(text: string, what: string, max: number): number[] {
  const numbers = new Set<number>();
  for (const part of text.split("+")) {
    const [, first = "", last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === "" || to < from || to > max) {
      return refuse(text, what, `a number, a range 0-3 or several joined by +, each from 0 to ${max}`);
    }
    for (let number = from; number <= to; number++) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}

/** [0, 1, 2, 5] is "0-2+5". */
export function formatNumberSet(numbers: readonly number[], separator = "+"): string {
  const ranges: { from: number; to: number }[] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last.to === number - 1) last.to = number;
    else ranges.push({ from: number, to: number });
  }
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(separator);
}

const RANGES_NAMED = 12;

/** "vCPU 3" or "vCPUs 0-2, 5"; of very many that lie scattered, the first. */
export function nameVcpus(ids: readonly number[]): string {
  const ranges = formatNumberSet(ids, ", ").split(", ");
  const more = ranges.length > RANGES_NAMED ? ` and more, ${ids.length} in all` : "";
  return `vCPU${ids.length === 1 ? "" : "s"} ${ranges.slice(0, RANGES_NAMED).join(", ")}${more}`;
}

/** pCPUs that something may run on: 2, "0-1", "0+2" or a list. */
export function asPcpuSet(value: unknown): number[] {
  const range = { min: 0, max: LIMITS.count.max - 1 };
  if (Array.isArray(value)) {
    if (value.length === 0) return refuse(value, "a set of pCPUs", "at least one pCPU");
    const numbers = new Set(value.map((item: unknown) => asInteger(item, "a pCPU", range)));
    return [...numbers].sort((a, b) => a - b);
  }
  if (typeof value !== "string") return [asInteger(value, "a set of pCPUs", range)];
  return parseNumberSet(value, "a set of pCPUs", range.max);
}

export function asNice(value: unknown): number {
  return asInteger(value, "a nice value", LIMITS.nice);
}

/**
 * "hog" for all vCPUs, "0-3=hog,4=idle" for those named, "hog,4=idle" for vCPU 4 and all others.
 */
export function asPerVcpu<T>(value: unknown, parseOne: (value: unknown) => T): PerVcpu<T> {
  if (typeof value !== "string") return { rest: parseOne(value), byVcpu: new Map() };
  const byVcpu = new Map<number, T>();
  const rest: T[] = [];
  for (const item of value.split(",")) {
    const equals = item.indexOf("=");
    const one = parseOne(scalarOf(item.slice(equals + 1).trim()));
    if (equals === -1) rest.push(one);
    for (const vcpu of equals === -1
      ? []
      : parseNumberSet(item.slice(0, equals).trim(), "a set of vCPUs", LIMITS.count.max - 1)) {
      if (byVcpu.has(vcpu)) return refuse(value, "clear", `each vCPU once; vCPU ${vcpu} is named twice`);
      byVcpu.set(vcpu, one);
    }
  }
  const [only] = rest;
  if (rest.length > 1) return refuse(value, "clear", "at most one value for the vCPUs that are not named");
  return only === undefined ? { byVcpu } : { rest: only, byVcpu };
}

export const HOST_TASK_FORMS = "hog, duty:50%/10ms, either with @nice=5,pcpus=0-1";

/** "hog", "hog@nice=5", "duty:50%/10ms@nice=-5,pcpus=0-1". */
export function parseHostTask(text: string): HostTaskConfig {
  const [what = "", options, ...more] = text.split("@");
  if (more.length > 0) return refuse(text, "a host task", HOST_TASK_FORMS);
  let nice = 0;
  let pcpus: number[] | null = null;
  for (const option of options === undefined ? [] : options.split(",")) {
    const [key = "", value = ""] = option.split("=", 2);
    switch (asChoice(key.trim(), "an option of a host task", ["nice", "pcpus"])) {
      case "nice":
        nice = asNice(scalarOf(value.trim()));
        break;
      case "pcpus":
        pcpus = asPcpuSet(scalarOf(value.trim()));
        break;
    }
  }
  return { workload: asHostWorkload(what.trim()), nice, pcpus };
}

export function asHostWorkload(value: unknown): HostTaskConfig["workload"] {
  const known = typeof value === "string" && (value === "hog" || value.startsWith("duty"));
  const workload = known ? asWorkload(value) : null;
  if (workload?.kind === "hog" || workload?.kind === "duty") return workload;
  return refuse(value, "work of a host task", "hog, duty:50%/10ms");
}
