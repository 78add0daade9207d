import type { Ansis } from "ansis";
import type { InvariantResult, RunResult } from "../engine/result.js";
import { count } from "../shared/text.js";
import { NS_PER_SECOND, tickNsecOf } from "../shared/units.js";
import { explainDifferences } from "./explain.js";
import { seconds, wrap } from "./format.js";
import { columnGroups, shownVcpus, vcpuColumn } from "./report-columns.js";
import { layOutTables } from "./table.js";

export interface ReportOptions {
  /** Columns of the terminal. */
  readonly width: number;
  readonly colours: Ansis;
}

/** The lines that end a run: guest beside truth, cost, invariants, and which rule makes them differ. */
export function reportLines(result: RunResult, { width, colours }: ReportOptions): string[] {
  const paragraph = (text: string, paint: (text: string) => string = (plain) => plain) => wrap(text, width).map(paint);
  const tables = layOutTables(vcpuColumn(result), columnGroups(result), width);
  return [
    ...paragraph(headline(result), colours.bold),
    ...tables.flatMap((table) => ["", ...paintTable(table, colours)]),
    ...withGap(leftOut(result).flatMap((line) => paragraph(line))),
    "",
    ...paragraph(legend(result), colours.dim),
    ...costLines(result).flatMap((line) => paragraph(line)),
    ...withGap(
      result.invariants.flatMap((invariant) => paragraph(invariantLine(invariant), invariantPaint(invariant, colours))),
    ),
    ...withGap(explainDifferences(result).flatMap((line) => paragraph(line))),
    ...withGap(result.warnings.flatMap((line) => paragraph(`warning: ${line}`, colours.yellow.bold))),
    "",
    ...paragraph(verdict(result), result.ok ? colours.green : colours.red.bold),
  ];
}

/** What is broken, and nothing when nothing is. */
export function brokenLines(result: RunResult): string[] {
  const broken = result.invariants.filter(({ status }) => status === "broken").map(invariantLine);
  // Without the seed nobody could see it break again.
  const repeat = result.seed === null ? [] : [`The seed was ${result.seed}.`];
  return result.ok ? broken : [...broken, ...repeat, verdict(result)];
}

const LEGEND =
  "us sy id st: % of the accounted time, as top shows it. seen: steal, true: waiting for a pCPU, both in % of the " +
  "elapsed time. unacc: elapsed time in no account.";

function legend({ engine }: RunResult): string {
  return engine === "virtual" ? `${LEGEND} noise: latency that was drawn, in % of the elapsed time.` : LEGEND;
}

/** Rows that a table of very many vCPUs does without. */
function leftOut(result: RunResult): string[] {
  const [all, shown] = [result.vcpus.length, shownVcpus(result).length];
  return all === shown ? [] : [`The first ${shown} of ${all} vCPUs, and the total of all; --json has all of them.`];
}

function headline({ config, engine, seed, elapsedNs, stoppedEarly }: RunResult): string {
  const where = config.host === "fair" ? `on ${count(config.pcpus, "pCPU")}` : "on the linux host";
  const early = stoppedEarly ? ", stopped early" : "";
  const time =
    engine === "virtual" ? `${elapsedNs / NS_PER_SECOND} s of virtual time, seed ${seed}` : `${seconds(elapsedNs)} s`;
  return `${count(config.vcpus.length, "vCPU")} ${where}, ${config.accounting} at HZ ${config.hz}, ${time}${early}`;
}

/** None of a run in virtual time, in which nothing costs any. */
function costLines({ vcpus, config, engine }: RunResult): string[] {
  if (engine === "virtual") return [];
  const tickNs = mean(vcpus.map(({ cost }) => cost.tickNs));
  const readNs = mean(vcpus.map(({ cost }) => cost.pageReadNs));
  const perTick =
    tickNs === null
      ? "no tick measured"
      : `${Math.round(tickNs)} ns per tick (${percentOfTick(tickNs, config.hz)} % of a CPU at HZ ${config.hz})`;
  const perRead = readNs === null ? "no page read measured" : `${Math.round(readNs)} ns per page read`;
  return [`Cost in the guest: ${perTick}, ${perRead}.`];
}

function percentOfTick(ns: number, hz: number): string {
  return ((ns / tickNsecOf(hz)) * 100).toFixed(3);
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0) / known.length;
}

function invariantLine({ name, status, detail }: InvariantResult): string {
  return `${status.padEnd(NOT_EXERCISED.length)}  ${name}${detail === "" ? "" : `: ${detail}`}`;
}

const NOT_EXERCISED: InvariantResult["status"] = "not exercised";

function invariantPaint({ status }: InvariantResult, colours: Ansis): (text: string) => string {
  switch (status) {
    case "ok":
      return colours.green;
    case "broken":
      return colours.red.bold;
    case "not exercised":
      return colours.dim;
  }
}

function verdict({ ok, invariants }: RunResult): string {
  if (invariants.length === 0) return "No invariant was checked.";
  if (ok) return "All invariants that were exercised held.";
  const broken = invariants.filter(({ status }) => status === "broken").length;
  return `${count(broken, "invariant")} broken: exit code 1.`;
}

function paintTable([title = "", heads = "", ...rows]: readonly string[], colours: Ansis): string[] {
  const totals = rows.slice(-1).map((row) => colours.bold(row));
  return [colours.bold(title), colours.cyan(heads), ...rows.slice(0, -1), ...totals];
}

function withGap(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", ...lines];
}
