import type { Ansis } from "ansis";
import type { InvariantResult, RunResult, VcpuResult } from "../engine/result.js";
import { count } from "../shared/text.js";
import { type Ns, tickNsecOf } from "../shared/units.js";
import { accountedNs, explainDifferences, unaccountedNs } from "./explain.js";
import { percent, seconds, shortTime, sum, wrap } from "./format.js";
import { type Column, type ColumnGroup, layOutTables } from "./table.js";

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
    "",
    ...paragraph(LEGEND, colours.dim),
    ...paragraph(costLine(result)),
    "",
    ...result.invariants.flatMap((invariant) =>
      paragraph(invariantLine(invariant), invariantPaint(invariant, colours)),
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
  return result.ok ? broken : [...broken, verdict(result)];
}

const LEGEND =
  "us sy id st: % of the accounted time, as top shows it. seen: steal, true: waiting for a pCPU, both in % of the " +
  "elapsed time. unacc: elapsed time in no account.";

/** What ran, and for how long. */
export function headline({ config, elapsedNs, stoppedEarly }: RunResult): string {
  const where = config.host === "fair" ? `on ${count(config.pcpus, "pCPU")}` : "on the linux host";
  const early = stoppedEarly ? ", stopped early" : "";
  return `${count(config.vcpus.length, "vCPU")} ${where}, ${config.accounting} at HZ ${config.hz}, ${seconds(elapsedNs)} s${early}`;
}

function vcpuColumn(result: RunResult): Column {
  return { head: "vCPU", cells: [...result.vcpus.map(({ id }) => `${id}`), "total"] };
}

function columnGroups(result: RunResult): ColumnGroup[] {
  const { vcpus, elapsedNs } = result;
  const allElapsedNs = sum(vcpus.map(() => elapsedNs));
  const total = (figureOf: (vcpu: VcpuResult) => number) => sum(vcpus.map(figureOf));

  const counted = (head: string, figureOf: (vcpu: VcpuResult) => number): Column => ({
    head,
    cells: [...vcpus.map((vcpu) => `${figureOf(vcpu)}`), `${total(figureOf)}`],
  });
  const longest = (head: string, figureOf: (vcpu: VcpuResult) => Ns): Column => ({
    head,
    cells: [...vcpus.map(figureOf), vcpus.reduce((most, vcpu) => Math.max(most, figureOf(vcpu)), 0)].map(shortTime),
  });
  const ofElapsed = (head: string, figureOf: (vcpu: VcpuResult) => Ns): Column => ({
    head,
    cells: [...vcpus.map((vcpu) => percent(figureOf(vcpu), elapsedNs)), percent(total(figureOf), allElapsedNs)],
  });
  const ofAccounted = (head: string, figureOf: (vcpu: VcpuResult) => Ns): Column => {
    const cell = (ns: Ns, wholeNs: Ns) => `${seconds(ns)} ${percent(ns, wholeNs).padStart(5)}`;
    const all = total(({ guest }) => accountedNs(guest));
    return {
      head,
      cells: [...vcpus.map((vcpu) => cell(figureOf(vcpu), accountedNs(vcpu.guest))), cell(total(figureOf), all)],
    };
  };
  const unaccounted = (vcpu: VcpuResult) => unaccountedNs(vcpu, elapsedNs);
  const offline = vcpus.some(({ host }) => host.offlineNs > 0);
  return [
    {
      title: "what the guest believes",
      columns: [
        ofAccounted("user s   us%", ({ guest }) => guest.userNs),
        ofAccounted("sys s   sy%", ({ guest }) => guest.systemNs),
        ofAccounted("idle s   id%", ({ guest }) => guest.idleNs),
        ofAccounted("steal s st%", ({ guest }) => guest.stealNs),
        ofElapsed("seen%", ({ guest }) => guest.stealNs),
        ofElapsed("true%", ({ host }) => host.waitNs),
        { head: "unacc", cells: [...vcpus.map(unaccounted), total(unaccounted)].map(seconds) },
      ],
    },
    {
      title: "what the host knows",
      columns: [
        ofElapsed("run%", ({ host }) => host.runNs),
        ofElapsed("wait%", ({ host }) => host.waitNs),
        ofElapsed("halt%", ({ host }) => host.haltNs),
        ...(offline ? [ofElapsed("off%", ({ host }) => host.offlineNs)] : []),
        longest("longest", ({ host }) => host.wait.maxNs),
        longest("p99 wait", ({ host }) => host.wait.p99Ns),
        counted("switches", ({ host }) => host.entries),
        ...(result.host === "fair" ? [counted("moves", ({ host }) => host.migrations ?? 0)] : []),
        noiseColumn(result),
      ],
    },
    {
      title: "page, reads and softlockups",
      columns: [
        counted("updates", ({ page }) => page.updates),
        counted("reads", ({ reads }) => reads.consistent),
        counted("retries", ({ reads }) => reads.retries),
        counted("gave up", ({ reads }) => reads.gaveUp),
        counted("lost ticks", ({ guest }) => guest.lostTicks),
        counted("lockups", ({ guest }) => guest.softlockups.reported),
        counted("suppressed", ({ guest }) => guest.softlockups.suppressed),
      ],
    },
  ];
}

/** The fair host's noise, or how far the linux host's run time is from what schedstat says of the thread. */
function noiseColumn({ vcpus, host, elapsedNs }: RunResult): Column {
  const errorNs = (vcpu: VcpuResult) =>
    host === "fair"
      ? vcpu.host.noiseNs
      : vcpu.host.onCpuNs === null
        ? null
        : Math.abs(vcpu.host.runNs - vcpu.host.onCpuNs);
  const errors = vcpus.map(errorNs);
  const known = errors.filter((ns) => ns !== null);
  const total = known.length === 0 ? "?" : percent(sum(known), sum(known.map(() => elapsedNs)));
  const cells = errors.map((ns) => (ns === null ? "?" : percent(ns, elapsedNs)));
  return { head: host === "fair" ? "noise%" : "error%", cells: [...cells, total] };
}

function costLine({ vcpus, config }: RunResult): string {
  const tickNs = mean(vcpus.map(({ cost }) => cost.tickNs));
  const readNs = mean(vcpus.map(({ cost }) => cost.pageReadNs));
  const perTick =
    tickNs === null
      ? "no tick measured"
      : `${Math.round(tickNs)} ns per tick (${percentOfTick(tickNs, config.hz)} % of a CPU at HZ ${config.hz})`;
  const perRead = readNs === null ? "no page read measured" : `${Math.round(readNs)} ns per page read`;
  return `Cost in the guest: ${perTick}, ${perRead}.`;
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
