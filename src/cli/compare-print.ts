import type { Agreement } from "../engine/check/agreement.js";
import type { RunResult } from "../engine/result.js";
import type { ComparedFigure, Comparison, Pair } from "./compare-runs.js";
import { compareSentences, points, unequalVcpus } from "./compare-sentences.js";
import { differenceText } from "./compare-settings.js";
import { percent, sum, wrap } from "./format.js";
import { headline } from "./report.js";
import { type Column, type ColumnGroup, layOutTables } from "./table.js";

const MAX_SETTINGS = 40;
const MAX_VERDICTS = 8;

/** The lines of `compare`; none is wider than `width`. */
export function compareLines([a, b]: readonly [NamedRun, NamedRun], comparison: Comparison, width: number): string[] {
  const paragraph = (text: string) => wrap(text, width);
  const block = ([head, ...items]: readonly string[]) => [
    ...paragraph(head),
    ...items.flatMap((item) => indented(item, width)),
  ];
  const heads = [a, b].flatMap(({ name, file, run }) =>
    paragraph(`${name}: ${file}: ${engineText(run)}, ${headline(run)}`),
  );
  if (comparison.identical) {
    return [...heads, "", ...paragraph("The two runs are identical: every setting, and every figure of every vCPU.")];
  }
  const unequal = unequalVcpus(a.run, b.run, comparison);
  return [
    ...heads,
    "",
    ...block(settingLines(comparison)),
    ...(unequal === null ? [] : paragraph(unequal)),
    ...tables(comparison, width).flatMap((table) => ["", ...table]),
    "",
    ...paragraph("Shares in % of elapsed time; B-A in points. unaccounted: elapsed time in no account."),
    "",
    ...compareSentences(a.run, b.run, comparison).flatMap(paragraph),
    ...(comparison.agreement === null ? [] : ["", ...block(agreementLines(comparison.agreement))]),
  ];
}

/** A run, and what the comparison calls it. */
export interface NamedRun {
  readonly name: "A" | "B";
  readonly file: string;
  readonly run: RunResult;
}

function engineText({ engine }: RunResult): string {
  return `${engine} engine`;
}

function indented(text: string, width: number): string[] {
  const indent = "  ";
  return wrap(text, width - indent.length).map((line) => indent + line);
}

/** What differs, under a head. */
function settingLines({ settings }: Comparison): string[] {
  if (settings.length === 0) return ["No setting differs."];
  const shown = settings.slice(0, MAX_SETTINGS).map(differenceText);
  const more = settings.length - shown.length;
  return ["Settings that differ, A | B:", ...shown, ...(more > 0 ? [`+${more} more`] : [])];
}

function tables({ ids, shares, counts }: Comparison, width: number): string[][] {
  if (ids.length === 0) return [];
  const key: Column = { head: "vCPU", cells: [...ids.map((id) => `${id}`), "total"] };
  const different = counts.filter(({ pairs }) => pairs.some(({ a, b }) => a !== b));
  return [
    ...layOutTables(key, shares.map(shareGroup), width),
    ...(different.length === 0 ? [] : layOutTables(key, different.map(countGroup), width)),
  ];
}

function shareGroup({ title, pairs }: ComparedFigure): ColumnGroup {
  const mean = (of: (pair: Pair) => number) => pairs.reduce((total, pair) => total + of(pair), 0) / pairs.length;
  const rows = [...pairs, { a: mean(({ a }) => a), b: mean(({ b }) => b) }];
  return group(title, rows, (share) => percent(share, 1), points, "%");
}

function countGroup({ title, pairs }: ComparedFigure): ColumnGroup {
  const rows = [...pairs, { a: sum(pairs.map(({ a }) => a)), b: sum(pairs.map(({ b }) => b)) }];
  return group(title, rows, String, ({ a, b }) => (b > a ? `+${b - a}` : `${b - a}`), "");
}

function group(
  title: string,
  rows: readonly Pair[],
  show: (value: number) => string,
  showDifference: (pair: Pair) => string,
  unit: string,
): ColumnGroup {
  return {
    title,
    columns: [
      { head: `A${unit}`, cells: rows.map(({ a }) => show(a)) },
      { head: `B${unit}`, cells: rows.map(({ b }) => show(b)) },
      { head: "B-A", cells: rows.map(showDifference) },
    ],
  };
}

/** The verdict, and under it the vCPUs that do not agree. */
function agreementLines({ verdict, detail, vcpus }: Agreement): string[] {
  const others = vcpus.filter((vcpu) => vcpu.verdict !== "agrees");
  const shown = others.slice(0, MAX_VERDICTS);
  const more = others.length - shown.length;
  return [
    `Real beside virtual: ${verdict}: ${detail}.`,
    ...shown.map((vcpu) => `vCPU ${vcpu.id} ${vcpu.verdict}: ${vcpu.detail}`),
    ...(more > 0 ? [`+${more} more`] : []),
  ];
}
