import { count } from "../../shared/text.js";
import { NS_PER_SECOND } from "../../shared/units.js";
import type { FaultReport, Spread, StressRun } from "../../verify/stress/stress-run.js";
import { seconds, shortTime, wrap } from "../format.js";
import { type Column, type ColumnGroup, layOutTables } from "../table.js";
import { type JudgedRun, killedBy } from "./judged-run.js";
import { shortCount } from "./stress-figures.js";
import { stressSentences } from "./stress-sentences.js";

/** What is printed when all is done: the runs' figures, and what they mean. */
export function stressLines(judged: readonly JudgedRun[], planned: number, width: number): string[] {
  const faults = judged.flatMap(({ run: { fault } }) => (fault === null ? [] : [...faultLines(fault, width), ""]));
  const isTimed = judged.some(({ run }) => run.durationNs > 0);
  const tables = isTimed ? figureLines(judged, width) : [];
  const sentences = stressSentences(judged, planned).flatMap((sentence) => wrap(sentence, width));
  return [...faults, ...tables, ...sentences];
}

const INDENT = "  ";

function figureLines(judged: readonly JudgedRun[], width: number): string[] {
  const runs = judged.map(({ run }) => run);
  const [first] = runs;
  const setup = `${count(first.readers, "reader")} on ${count(first.pages, "page")}`;
  const head = wrap(runs.length === 1 ? `${setup}, ${seconds(first.durationNs)} s` : setup, width);
  const key: Column = { head: "protocol", cells: runs.map(({ protocol }) => protocol) };
  const tables = layOutTables(key, groupsOf(judged), width).map(withoutEmptyTitle);
  const fits = tables.every((lines) => lines.every((line) => line.length <= width));
  const body = fits ? tables.map((lines) => [...lines, ""]) : runs.map((_, index) => listOf(judged[index], width));
  return [...head, "", ...body.flat()];
}

/** The first columns need no title; where they have a table to themselves there is no title line. */
function withoutEmptyTitle([title, ...lines]: readonly string[]): string[] {
  return title.trim() === "" ? lines : [title.trimEnd(), ...lines];
}

/** A table's columns, most telling first. */
function groupsOf(judged: readonly JudgedRun[]): ColumnGroup[] {
  const runs = judged.map(({ run }) => run);
  const column = (head: string, cellOf: (run: StressRun) => string): Column => ({ head, cells: runs.map(cellOf) });
  const spread = (title: string, of: (run: StressRun) => Spread, show: (value: number) => string): ColumnGroup => ({
    title,
    columns: (["p50", "p99", "max"] as const).map((name) => column(name, (run) => show(of(run)[name]))),
  });
  return [
    {
      title: "",
      columns: [
        column("torn", ({ torn }) => `${torn}`),
        column("verdict", ({ verdict }) => verdict),
        ...(runs.some(({ expected }) => expected === "broken")
          ? [{ head: "killed by", cells: judged.map(killedBy) }]
          : []),
      ],
    },
    {
      title: "per second",
      columns: [
        column("updates", (run) => perSecond(run.updates, run)),
        column("reads", (run) => perSecond(run.reads, run)),
      ],
    },
    {
      title: "reads that",
      columns: [
        column("saw odd", ({ oddSeen }) => `${oddSeen}`),
        column("saw change", ({ changedSeen }) => `${changedSeen}`),
        column("gave up", ({ gaveUp }) => `${gaveUp}`),
      ],
    },
    {
      title: "retries",
      columns: [
        column("in all", ({ retries }) => shortCount(retries)),
        ...spread("", ({ retriesPerRead }) => retriesPerRead, String).columns,
      ],
    },
    spread("one update", ({ updateNs }) => updateNs, shortTime),
    spread("one read", ({ readNs }) => readNs, shortTime),
  ];
}

function perSecond(times: number, { durationNs }: StressRun): string {
  return shortCount((times * NS_PER_SECOND) / durationNs);
}

/** Where the terminal is too narrow for a table: the same figures, one group below the other. */
function listOf(judged: JudgedRun, width: number): string[] {
  const groups = groupsOf([judged]).flatMap(({ title, columns }) => {
    const figures = columns.map(({ head, cells: [cell] }) => `${head} ${cell}`).join(", ");
    return wrap(title === "" ? figures : `${title}: ${figures}`, width - INDENT.length, INDENT);
  });
  return [judged.run.protocol, ...groups.map((line) => INDENT + line), ""];
}

function faultLines({ name, phases }: FaultReport, width: number): string[] {
  if (phases.length === 0) return [];
  const column = (head: string, cells: readonly number[]): Column => ({ head, cells: cells.map(String) });
  const key: Column = { head: "phase", cells: phases.map((phase) => phase.name) };
  const columns = [
    column(
      "updates",
      phases.map(({ updates }) => updates),
    ),
    column(
      "reads",
      phases.map(({ reads }) => reads),
    ),
    column(
      "accepted",
      phases.map(({ accepted }) => accepted),
    ),
    column(
      "gave up",
      phases.map(({ gaveUp }) => gaveUp),
    ),
    column(
      "torn",
      phases.map(({ torn }) => torn),
    ),
  ];
  return layOutTables(key, [{ title: `fault: ${name}`, columns }], width).flatMap((lines, table) => [
    ...(table === 0 ? [] : [""]),
    ...lines,
  ]);
}
