import type { RunResult } from "../engine/result.js";
import { count } from "../shared/text.js";
import { tickNsecOf } from "../shared/units.js";
import type { ComparedFigure, Comparison, Pair } from "./compare-runs.js";
import { explainDifferences } from "./explain.js";
import { percent } from "./format.js";
import { nameVcpus } from "./values.js";

const MAX_LARGEST = 3;
/** Shares that are closer than this are called equal, as where a run is explained. */
const SMALL_SHARE = 0.01;

/** Settings of which explainDifferences knows what they do to what a guest believes. */
const EXPLAINED = ["update", "accounting", "measure", "stealUnit", "stealFeature", "watchdog", "hz"];

/** What two runs differ in, in words: where most, and by which rules guest and truth differ in each. */
export function compareSentences(a: RunResult, b: RunResult, comparison: Comparison): string[] {
  const largest = largestDifferences(a, b, comparison);
  return [
    ...(largest.length > 0
      ? largest
      : [`No share of any vCPU differs by more than ${percent(smallShare(a, b), 1)} points.`]),
    ...causeOf(a, b, comparison, largest.length > 0),
    ...explainRun("A", a),
    ...explainRun("B", b),
  ];
}

/** The difference of two shares, in points of a percent: "+49.8". */
export function points({ a, b }: Pair): string {
  const text = percent(b - a, 1);
  return text.startsWith("-") || text === "0.0" ? text : `+${text}`;
}

/** Which of a figure's vCPUs is furthest from its partner. */
interface Peak {
  readonly title: string;
  readonly id: number;
  readonly pair: Pair;
}

function largestDifferences(a: RunResult, b: RunResult, { shares, ids }: Comparison): string[] {
  const small = smallShare(a, b);
  const peaks = shares
    .map((figure) => peakOf(figure, ids))
    .filter((peak) => peak !== null)
    .filter(({ pair }) => distance(pair) > small)
    .sort((one, other) => distance(other.pair) - distance(one.pair));
  return peaks.slice(0, MAX_LARGEST).map(({ title, id, pair }) => {
    const [inA, inB] = [percent(pair.a, 1), percent(pair.b, 1)];
    return `${title} differs most on vCPU ${id}: ${inA} % in A, ${inB} % in B (${points(pair)} points).`;
  });
}

function peakOf({ title, pairs }: ComparedFigure, ids: readonly number[]): Peak | null {
  return pairs.reduce<Peak | null>(
    (peak, pair, index) =>
      peak === null || distance(pair) > distance(peak.pair) ? { title, id: ids[index], pair } : peak,
    null,
  );
}

function distance({ a, b }: Pair): number {
  return Math.abs(a - b);
}

/** The larger of 1 % and two ticks, of the run that is the coarser of the two. */
function smallShare(...runs: readonly RunResult[]): number {
  const twoTicks = runs.map(({ config, elapsedNs }) => (elapsedNs > 0 ? (2 * tickNsecOf(config.hz)) / elapsedNs : 0));
  return Math.max(SMALL_SHARE, ...twoTicks);
}

/** What can have made the difference, where that is one thing. @param differs some share does */
function causeOf(a: RunResult, b: RunResult, { settings }: Comparison, differs: boolean): string[] {
  const names = [...new Set(settings.map(({ setting }) => setting))];
  const real = a.engine === "real" || b.engine === "real";
  if (names.length === 0) {
    return real ? ["All settings are equal: what differs is the real machine's part in it."] : [];
  }
  const [only] = names;
  if (names.length > 1 || !EXPLAINED.includes(only)) return [];
  if (!differs) return [`The only setting that differs is ${only}; it makes no difference to speak of here.`];
  const machine = real ? `, or from the real machine (noise: ${noiseText(a, b)})` : "";
  return [`The only setting that differs is ${only}: what differs comes from it${machine}. What it does to each run:`];
}

function noiseText(...runs: readonly RunResult[]): string {
  const shares = runs.flatMap(({ vcpus, elapsedNs }) =>
    vcpus.map(({ host }) => (host.noiseNs === null || elapsedNs <= 0 ? null : host.noiseNs / elapsedNs)),
  );
  const known = shares.filter((share) => share !== null);
  return known.length < shares.length ? "unknown" : `at most ${percent(Math.max(...known), 1)} % of elapsed time`;
}

function explainRun(name: string, run: RunResult): string[] {
  const explained = explainDifferences(run);
  const lines = explained.length > 0 ? explained : ["what the guests believe is true, to 1 % and two ticks."];
  const broken = run.ok ? [] : ["an invariant is broken, so these figures can't be trusted."];
  return [...broken, ...lines].map((line) => `${name}: ${line}`);
}

/** Which vCPUs are compared when the runs do not have the same; null when they do. */
export function unequalVcpus(a: RunResult, b: RunResult, { ids }: Comparison): string | null {
  if (ids.length === a.vcpus.length && ids.length === b.vcpus.length) return null;
  const has = (name: string, { vcpus }: RunResult) => `${name} has ${count(vcpus.length, "vCPU")}`;
  const compared = ids.length === 0 ? "none is in both" : `compared are those in both, ${nameVcpus(ids)}`;
  return `${has("A", a)}, ${has("B", b)}: ${compared}.`;
}
