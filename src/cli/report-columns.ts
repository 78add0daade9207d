import type { RunResult, VcpuResult } from "../engine/result.js";
import type { Ns } from "../shared/units.js";
import { accountedNs, unaccountedNs } from "./explain.js";
import { percent, seconds, shortTime, sum } from "./format.js";
import type { Column, ColumnGroup } from "./table.js";

/** A table has a row for each of so many vCPUs; of more than that it shows the first ones. */
const MAX_ROWS = 40;
const ROWS_OF_MORE = 32;

/** The vCPUs that have a row of their own. */
export function shownVcpus({ vcpus }: RunResult): readonly VcpuResult[] {
  return vcpus.length > MAX_ROWS ? vcpus.slice(0, ROWS_OF_MORE) : vcpus;
}

export function vcpuColumn(result: RunResult): Column {
  const shown = shownVcpus(result);
  const gap = shown.length < result.vcpus.length ? ["..."] : [];
  return { head: "vCPU", cells: [...shown.map(({ id }) => `${id}`), ...gap, "total"] };
}

/** What stands beside the vCPUs, in groups. The last cell of each column is of all vCPUs. */
export function columnGroups(result: RunResult): ColumnGroup[] {
  return [
    { title: "what the guest believes", columns: guestColumns(result) },
    { title: "what the host knows", columns: hostColumns(result) },
    { title: "page, reads and softlockups", columns: pageColumns(result) },
  ];
}

function guestColumns(result: RunResult): Column[] {
  const unaccounted = (vcpu: VcpuResult) => unaccountedNs(vcpu, result.elapsedNs);
  return [
    ofAccounted("user s   us%", result, ({ guest }) => guest.userNs),
    ofAccounted("sys s   sy%", result, ({ guest }) => guest.systemNs),
    ofAccounted("idle s   id%", result, ({ guest }) => guest.idleNs),
    ofAccounted("steal s st%", result, ({ guest }) => guest.stealNs),
    ofElapsed("seen%", result, ({ guest }) => guest.stealNs),
    ofElapsed("true%", result, ({ host }) => host.waitNs),
    column("unacc", result, (vcpu) => seconds(unaccounted(vcpu)), seconds(total(result, unaccounted))),
  ];
}

function hostColumns(result: RunResult): Column[] {
  const offline = result.vcpus.some(({ host }) => host.offlineNs > 0);
  return [
    ofElapsed("run%", result, ({ host }) => host.runNs),
    ofElapsed("wait%", result, ({ host }) => host.waitNs),
    ofElapsed("halt%", result, ({ host }) => host.haltNs),
    ...(offline ? [ofElapsed("off%", result, ({ host }) => host.offlineNs)] : []),
    longest("longest", result, ({ host }) => host.wait.maxNs),
    longest("p99 wait", result, ({ host }) => host.wait.p99Ns),
    counted("switches", result, ({ host }) => host.entries),
    ...(result.host === "fair" ? [counted("moves", result, ({ host }) => host.migrations ?? 0)] : []),
    noiseColumn(result),
  ];
}

function pageColumns(result: RunResult): Column[] {
  return [
    counted("updates", result, ({ page }) => page.updates),
    counted("reads", result, ({ reads }) => reads.consistent),
    counted("retries", result, ({ reads }) => reads.retries),
    counted("gave up", result, ({ reads }) => reads.gaveUp),
    counted("lost ticks", result, ({ guest }) => guest.lostTicks),
    counted("lockups", result, ({ guest }) => guest.softlockups.reported),
    counted("suppressed", result, ({ guest }) => guest.softlockups.suppressed),
  ];
}

type FigureOf = (vcpu: VcpuResult) => number;

function column(head: string, result: RunResult, cellOf: (vcpu: VcpuResult) => string, ofAll: string): Column {
  const shown = shownVcpus(result);
  const gap = shown.length < result.vcpus.length ? [""] : [];
  return { head, cells: [...shown.map(cellOf), ...gap, ofAll] };
}

function total({ vcpus }: RunResult, figureOf: FigureOf): number {
  return sum(vcpus.map(figureOf));
}

function counted(head: string, result: RunResult, figureOf: FigureOf): Column {
  return column(head, result, (vcpu) => `${figureOf(vcpu)}`, `${total(result, figureOf)}`);
}

function longest(head: string, result: RunResult, figureOf: FigureOf): Column {
  const most = result.vcpus.reduce((longestNs, vcpu) => Math.max(longestNs, figureOf(vcpu)), 0);
  return column(head, result, (vcpu) => shortTime(figureOf(vcpu)), shortTime(most));
}

function ofElapsed(head: string, result: RunResult, figureOf: FigureOf): Column {
  const { elapsedNs } = result;
  const allElapsedNs = total(result, () => elapsedNs);
  const ofAll = percent(total(result, figureOf), allElapsedNs);
  return column(head, result, (vcpu) => percent(figureOf(vcpu), elapsedNs), ofAll);
}

function ofAccounted(head: string, result: RunResult, figureOf: FigureOf): Column {
  const cell = (ns: Ns, wholeNs: Ns) => `${seconds(ns)} ${percent(ns, wholeNs).padStart(5)}`;
  const ofAll = cell(
    total(result, figureOf),
    total(result, ({ guest }) => accountedNs(guest)),
  );
  return column(head, result, (vcpu) => cell(figureOf(vcpu), accountedNs(vcpu.guest)), ofAll);
}

/** The fair host's noise, or how far the linux host's run time is from what schedstat says of the thread. */
function noiseColumn(result: RunResult): Column {
  const { host: kind, elapsedNs, vcpus } = result;
  const errorNs = ({ host }: VcpuResult): Ns | null => {
    if (kind === "fair") return host.noiseNs;
    return host.onCpuNs === null ? null : Math.abs(host.runNs - host.onCpuNs);
  };
  const known = vcpus.map(errorNs).filter((ns) => ns !== null);
  const ofAll = known.length === 0 ? "?" : percent(sum(known), sum(known.map(() => elapsedNs)));
  const cellOf = (vcpu: VcpuResult): string => {
    const ns = errorNs(vcpu);
    return ns === null ? "?" : percent(ns, elapsedNs);
  };
  return column(kind === "fair" ? "noise%" : "error%", result, cellOf, ofAll);
}
