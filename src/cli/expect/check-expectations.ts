import { MAX_NOISE_SHARE } from "../../engine/check/noise.js";
import type { RunResult, VcpuResult } from "../../engine/result.js";
import { type Ns, tickNsecOf } from "../../shared/units.js";
import { sum } from "../format.js";
import type { Expectations, Ranges } from "./expect-schema.js";
import { FIGURE_NAMES, FIGURES, type FigureKind, type FigureName, unitOf } from "./figures.js";
import { formatRange, type Range, withUnit } from "./range.js";

/** An expectation beside what the run found. */
export interface ExpectationOutcome {
  readonly field: FigureName | "invariants";
  readonly vcpu: number | "total";
  readonly expected: string;
  readonly found: string;
  readonly status: "ok" | "failed" | "inconclusive";
}

/** What happens at a tick and what happens at an entry can each shift by one tick at either end of a real run. */
const STRAY_TICKS = 2;
const DECIMALS = 6;

/**
 * Holds a run against what its scenario file expects.
 *
 * A virtual run is exact, so a range is taken as it stands, and a figure that is not known has failed it. A real run may stray from each end of a range by its noise and
 * two ticks, and by no more; with more than 5 % noise, or where it is not known, nothing can be concluded. Softlockups are
 * given no margin, and conclude nothing when more than 5 % of the time that the vCPU did not wait was noise.
 *
 * @param expect must name only vCPUs that are there
 */
export function checkExpectations(expect: Expectations, result: RunResult): ExpectationOutcome[] {
  const { vcpus } = result;
  const ofVcpus = vcpus.flatMap((vcpu) => {
    const named = (expect.vcpus ?? []).filter((group) => group.vcpus.includes(vcpu.id)).map(({ ranges }) => ranges);
    const all = expect.all === undefined ? [] : [expect.all];
    return [...all, ...named].flatMap((ranges) => outcomesOf(ranges, { vcpu: vcpu.id, vcpus: [vcpu], result }));
  });
  const ofTotal = expect.total === undefined ? [] : outcomesOf(expect.total, { vcpu: "total", vcpus, result });
  return [...ofVcpus, ...ofTotal, invariantsOutcome(result)];
}

/** A vCPU, or all of them together. */
interface Subject {
  readonly vcpu: number | "total";
  readonly vcpus: readonly VcpuResult[];
  readonly result: RunResult;
}

function outcomesOf(ranges: Ranges, subject: Subject): ExpectationOutcome[] {
  return FIGURE_NAMES.flatMap((field) => {
    const range = ranges[field];
    return range === undefined ? [] : [outcomeOf(field, range, subject)];
  });
}

function outcomeOf(field: FigureName, range: Range, { vcpu, vcpus, result }: Subject): ExpectationOutcome {
  const figure = FIGURES[field];
  const unit = unitOf(figure);
  const value = figure.of(vcpus, result.elapsedNs);
  const expected = formatRange(range, unit);
  const found = value === null ? "not known" : withUnit(`${Number(value.toFixed(DECIMALS))}`, unit);
  if (result.engine === "virtual") {
    const status = value === null ? "failed" : statusOf(value, range);
    return { field, vcpu, expected, found, status };
  }
  const noiseNs = noiseOf(vcpus, result);
  const allNs = result.elapsedNs * vcpus.length;
  // A stall is noticed when the guest runs, be it ever so little beside its waits: that little must be quiet.
  const judgedNs = figure.kind === "events" ? allNs - sum(vcpus.map(({ host }) => host.waitNs)) : allNs;
  if (value === null || noiseNs === null || noiseNs > judgedNs * MAX_NOISE_SHARE) {
    return { field, vcpu, expected, found: `${found} at ${noiseText(noiseNs, judgedNs)}`, status: "inconclusive" };
  }
  const tickNs = tickNsecOf(result.config.hz);
  const stray = { ns: noiseNs + STRAY_TICKS * tickNs * vcpus.length, allNs, tickNs };
  const wide = widened(range, figure.kind, stray);
  return { field, vcpu, expected: `${expected}${marginText(range, wide)}`, found, status: statusOf(value, wide) };
}

function statusOf(value: number, { low, high }: Range): "ok" | "failed" {
  return value >= low && value <= high ? "ok" : "failed";
}

/** By how much time a real run may be wrong, and what that is to be seen against. */
interface Stray {
  readonly ns: Ns;
  readonly allNs: Ns;
  readonly tickNs: Ns;
}

function widened({ low, high }: Range, kind: FigureKind, stray: Stray): Range {
  const by = (bound: number) => marginOf(bound, kind, stray);
  return {
    low: Number.isFinite(low) ? low - by(low) : low,
    high: Number.isFinite(high) ? high + by(high) : high,
  };
}

/** What so much time comes to in a figure of this kind. */
function marginOf(bound: number, kind: FigureKind, { ns, allNs, tickNs }: Stray): number {
  switch (kind) {
    case "share":
    case "difference":
      return (ns * 100) / allNs;
    case "ticks":
      return ns / tickNs;
    case "milliseconds":
      return ns / 1e6;
    case "switches":
      return Math.ceil((bound * ns) / allNs) + STRAY_TICKS;
    case "events":
      return 0;
  }
}

function marginText(range: Range, wide: Range): string {
  const margin = Number.isFinite(range.high) ? wide.high - range.high : range.low - wide.low;
  return margin === 0 ? "" : ` (and ${margin.toFixed(2)} either way)`;
}

/**
 * What the real machine took from these vCPUs together; null where it is not known of one of them. A run that ends late
 * had a hypervisor that was held up, which is in no vCPU's own noise.
 */
function noiseOf(vcpus: readonly VcpuResult[], { elapsedNs, config }: RunResult): Ns | null {
  const noises = vcpus.map(({ host }) => (host.onCpuNs === null ? host.noiseNs : Math.abs(host.runNs - host.onCpuNs)));
  const known = noises.filter((ns) => ns !== null);
  if (known.length < noises.length) return null;
  const lateNs = Math.max(0, elapsedNs - config.durationNs);
  return sum(known) + lateNs * vcpus.length;
}

function noiseText(noiseNs: Ns | null, judgedNs: Ns): string {
  if (noiseNs === null) return "noise not known";
  return judgedNs <= 0 ? "noise only" : `${((noiseNs * 100) / judgedNs).toFixed(1)} % noise`;
}

function invariantsOutcome({ invariants }: RunResult): ExpectationOutcome {
  const outcome = { field: "invariants", vcpu: "total", expected: "ok" } as const;
  if (invariants.length === 0) return { ...outcome, found: "not checked", status: "inconclusive" };
  const broken = invariants.filter(({ status }) => status === "broken").map(({ name }) => `broken: ${name}`);
  if (broken.length > 0) return { ...outcome, found: broken.join("; "), status: "failed" };
  return { ...outcome, found: "ok", status: "ok" };
}
