import { wrap } from "../../src/cli/format.js";
import { type ColumnGroup, layOutTables } from "../../src/cli/table.js";
import type { BenchDocument, BenchResult } from "../harness/document.js";
import type { NoiseShares } from "../harness/noise.js";
import { PERCENTILES } from "../harness/row-record.js";
import { figure, leftColumn } from "./columns.js";

/** What was found, as lines of text. @param width of the terminal; a table that is wider goes on below */
export function benchLines(document: BenchDocument, width: number): string[] {
  const groups = [...new Set(document.results.map(({ group }) => group))];
  return [
    ...machineLines(document).flatMap((line) => wrap(line, width)),
    ...groups.flatMap((group) =>
      groupLines(
        document.results.filter((row) => row.group === group),
        group,
        width,
      ),
    ),
  ];
}

function machineLines({ machine, processes, noise }: BenchDocument): string[] {
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.arch}, kernel ${machine.kernel}; Node ${machine.node}, V8 ${machine.v8}`,
    machine.compiler ?? "no C compiler",
    processes === 1 ? "figures of one process" : `figures are the medians of ${processes} processes`,
    noise === null ? "how much others had of the machine is not known" : noiseText(noise, noise.limit),
  ];
}

function noiseText({ foreignShare, stealShare }: NoiseShares, limit: number): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  return (
    `other processes had ${percent(foreignShare)} of the machine, steal was ${percent(stealShare)}; ` +
    `rows measured under more than ${percent(limit)} in all are marked noisy`
  );
}

function groupLines(rows: readonly BenchResult[], group: string, width: number): string[] {
  const names = leftColumn(
    "row",
    rows.map(({ name }) => name),
  );
  const units = leftColumn(
    "unit",
    rows.map(({ unit }) => unit),
  );
  const bases = leftColumn(
    "of",
    rows.map(({ ratioTo }) => ratioTo ?? ""),
  );
  const columns: ColumnGroup = {
    title: "",
    columns: [
      { head: "median", cells: rows.map(({ median }) => figure(median)) },
      { head: "p99", cells: rows.map(({ p99 }) => figure(p99)) },
      { head: "min", cells: rows.map(({ min }) => figure(min)) },
      { head: "max", cells: rows.map(({ max }) => figure(max)) },
      units,
      { head: "ratio", cells: rows.map(({ ratio }) => figure(ratio)) },
      bases,
      { head: "", cells: rows.map(({ noisy }) => (noisy ? "noisy" : "")) },
    ],
  };
  const tables = layOutTables(names, [columns], width);
  return [
    "",
    group,
    ...tables.flatMap(([, ...lines]) => lines.map((line) => line.trimEnd())),
    ...latencyLines(rows, width),
    ...noteLines(rows).flatMap((line) => wrap(line, width)),
  ];
}

/** How latencies spread: they reach from a cache miss to the time slice of a thread that lost its processor. */
function latencyLines(rows: readonly BenchResult[], width: number): string[] {
  const latencies = rows.filter(({ percentiles }) => percentiles !== undefined);
  if (latencies.length === 0) return [];
  const names = leftColumn(
    "latency in ns of",
    latencies.map(({ name }) => name),
  );
  const columns = PERCENTILES.map((percentile) => ({
    head: percentile === "100" ? "max" : `p${percentile}`,
    cells: latencies.map(({ percentiles }) => figure(percentiles?.[percentile] ?? null)),
  }));
  return ["", ...layOutTables(names, [{ title: "", columns }], width).flatMap(([, ...lines]) => lines)];
}

function noteLines(rows: readonly BenchResult[]): string[] {
  const notes = [...new Set(rows.flatMap(({ note }) => note ?? []))];
  return notes.map((note) => {
    const names = rows.filter((row) => row.note === note).map(({ name }) => name);
    return `${names.join(", ")}: not measured, ${note}`;
  });
}
