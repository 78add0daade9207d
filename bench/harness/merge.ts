import type { BenchDocument, BenchResult } from "./document.js";
import { NOISE_LIMIT, type NoiseShares } from "./noise.js";
import { median } from "./statistics.js";

/**
 * One document of several, each of a process of its own: V8 compiles the same code into another shape and to another place each time, and
 * keeps to it, so that rounds of one process agree with each other more than with those of the next. A row's figure is the median of the processes' figures.
 *
 * @param documents at least one; the same rows in each
 */
export function mergeDocuments(documents: readonly BenchDocument[]): BenchDocument {
  const [first, ...others] = documents;
  if (others.length === 0) return first;
  const tables = documents.map(({ results }) => new Map(results.map((row) => [keyOf(row), row])));
  return {
    ...first,
    processes: documents.reduce((sum, { processes }) => sum + processes, 0),
    noise: mergeNoise(documents.flatMap(({ noise }) => noise ?? [])),
    results: first.results.map((row) => mergeRow(tables.flatMap((table) => table.get(keyOf(row)) ?? []))),
  };
}

function keyOf({ group, name }: BenchResult): string {
  return `${group}/${name}`;
}

/** They ran for about as long. */
function mergeNoise(all: readonly NoiseShares[]): BenchDocument["noise"] {
  if (all.length === 0) return null;
  const mean = (share: (noise: NoiseShares) => number) =>
    all.reduce((sum, noise) => sum + share(noise), 0) / all.length;
  return {
    foreignShare: mean(({ foreignShare }) => foreignShare),
    stealShare: mean(({ stealShare }) => stealShare),
    limit: NOISE_LIMIT,
  };
}

function mergeRow(rows: readonly BenchResult[]): BenchResult {
  const [first] = rows;
  const each = (figure: (row: BenchResult) => number | null): number[] => rows.flatMap((row) => figure(row) ?? []);
  const mins = each(({ min }) => min);
  const maxes = each(({ max }) => max);
  const medians = each((row) => row.median);
  const ratios = each(({ ratio }) => ratio);
  return {
    ...first,
    median: median(medians),
    p99: median(each(({ p99 }) => p99)),
    min: mins.length === 0 ? null : Math.min(...mins),
    max: maxes.length === 0 ? null : Math.max(...maxes),
    samples: rows.reduce((sum, { samples }) => sum + samples, 0),
    ratio: median(ratios),
    ratioRounds: ratios,
    ...(first.rounds !== undefined && { rounds: medians }),
    ...(first.percentiles !== undefined && { percentiles: mergePercentiles(rows) }),
    // The median stands on the quiet ones as long as these are more.
    noisy: rows.filter(({ noisy }) => noisy).length * 2 > rows.length,
  };
}

/** The median of each, and of what was the longest the longest. */
function mergePercentiles(rows: readonly BenchResult[]): Record<string, number> {
  const all = rows.flatMap(({ percentiles }) => (percentiles === undefined ? [] : [percentiles]));
  return Object.fromEntries(
    Object.keys(all[0]).map((key) => {
      const values = all.map((percentiles) => percentiles[key]);
      return [key, key === "100" ? Math.max(...values) : (median(values) ?? 0)];
    }),
  );
}
