import type { Ledger } from "../../host/ledger.js";
import { AUDIT_SLOTS } from "../../shared/audit-ring.js";
import { STEAL_MS_WORD, STEAL_NS_WORD } from "../../shared/pvclock-page.js";
import { count } from "../../shared/text.js";
import { U64 } from "../../shared/u64.js";
import { NS_PER_MS, type Ns, TWO_POW_32 } from "../../shared/units.js";
import type { InvariantResult, VcpuResult } from "../result.js";
import type { StealReport } from "../vcpu-report.js";
import type { RunChecker } from "./run-checker.js";

/** Everything that a finished run left behind. */
export interface Evidence {
  readonly elapsedNs: Ns;
  readonly ram: Int32Array;
  readonly ledger: Ledger;
  readonly checker: RunChecker;
  readonly vcpus: readonly VcpuResult[];
  readonly steal: readonly StealReport[];
  readonly nanoseconds: boolean;
  /** The slowest of the TSCs that the machine has had. */
  readonly slowestTscKhz: number;
}

/** Holds a finished run against every invariant. */
export function checkInvariants(evidence: Evidence): InvariantResult[] {
  return [
    ledgerConservesTime(evidence),
    noTornReads(evidence),
    pageVersions(evidence),
    clocksNeverStepBack(evidence),
    pageStealEqualsLedger(evidence),
    guestStealEqualsLog(evidence),
    guestNeverAhead(evidence),
  ];
}

const MAX_EXAMPLES = 3;

/** @param problems one text each; only the first few are shown @param exercised how many cases were looked at */
function judge(name: string, problems: readonly string[], exercised: number, detail: string): InvariantResult {
  if (problems.length > 0) {
    const more = problems.length > MAX_EXAMPLES ? ` (+${problems.length - MAX_EXAMPLES} more)` : "";
    return { name, status: "broken", detail: problems.slice(0, MAX_EXAMPLES).join("; ") + more };
  }
  return { name, status: exercised > 0 ? "ok" : "not exercised", detail };
}

function ledgerConservesTime({ elapsedNs, ledger, checker }: Evidence): InvariantResult {
  const problems = [...checker.violations];
  ledger.vcpus.forEach((account, vcpu) => {
    const sumNs = account.runNs + account.waitNs + account.haltNs + account.offlineNs;
    if (sumNs !== elapsedNs) problems.push(`vCPU ${vcpu}: states add up to ${sumNs} ns of ${elapsedNs}`);
    const witness = checker.witnesses[vcpu];
    for (const state of ["runNs", "waitNs", "haltNs", "offlineNs"] as const) {
      if (account[state] < 0) problems.push(`vCPU ${vcpu}: ${state} is negative, ${account[state]}`);
      if (account[state] !== witness[state]) {
        problems.push(`vCPU ${vcpu}: ${state} is ${account[state]}, the notifications say ${witness[state]}`);
      }
    }
  });
  const vcpus = ledger.vcpus.length;
  return judge(
    "the ledger conserves time",
    problems,
    vcpus,
    `run + wait + halt + offline = ${elapsedNs} ns on ${count(vcpus, "vCPU")}`,
  );
}

function noTornReads({ vcpus }: Evidence): InvariantResult {
  const problems = vcpus
    .filter(({ reads }) => reads.torn > 0)
    .map(({ id, reads }) => `vCPU ${id}: ${reads.torn} torn reads`);
  for (const { id, reads } of vcpus) {
    const { consistent, audited, unaudited } = reads;
    if (unaudited === undefined || audited + unaudited === consistent) continue;
    problems.push(`vCPU ${id}: ${audited} audited and ${unaudited} unaudited reads of ${consistent}`);
  }
  const audited = sum(vcpus.map(({ reads }) => reads.audited));
  const overlapped = sum(vcpus.map(({ reads }) => reads.auditedOverlapped));
  const unaudited = sum(vcpus.map(({ reads }) => reads.unaudited ?? 0));
  const lost =
    unaudited === 0 ? "" : `; ${count(unaudited, "read")} unaudited: their page was written ${AUDIT_SLOTS} times since`;
  const detail = `${count(audited, "read")} audited, ${overlapped} of them overlapped a write${lost}`;
  return judge("no torn value accepted", problems, overlapped, detail);
}

function pageVersions({ ram, checker, vcpus }: Evidence): InvariantResult {
  const problems = vcpus
    .filter(({ id, page }) => page.updates !== checker.witnesses[id].log.updatesInAll)
    .map(({ id, page }) => {
      return `vCPU ${id}: ${page.updates} updates counted, ${checker.witnesses[id].log.updatesInAll} were seen`;
    });
  let pages = 0;
  checker.witnesses.forEach(({ log }, vcpu) => {
    if (log.base < 0) return;
    pages++;
    const version = Atomics.load(ram, log.base);
    if ((version & 1) !== 0) problems.push(`vCPU ${vcpu}: version ${version >>> 0} is odd`);
    else if (version !== log.expectedVersion) {
      problems.push(`vCPU ${vcpu}: version ${version >>> 0}, expected ${log.expectedVersion >>> 0}`);
    }
  });
  return judge("versions are even and count the updates", problems, pages, count(pages, "registered page"));
}

function clocksNeverStepBack({ vcpus, elapsedNs, slowestTscKhz }: Evidence): InvariantResult {
  const boundNs = rawStepBoundNs(elapsedNs, slowestTscKhz);
  const problems: string[] = [];
  for (const { id, clock } of vcpus) {
    if (clock.backwardSteps > 0) problems.push(`vCPU ${id}: ${clock.backwardSteps} guarded steps back`);
    if (clock.maxRawBackwardNs > boundNs) {
      problems.push(`vCPU ${id}: a raw step back of ${clock.maxRawBackwardNs} ns, the arithmetic explains ${boundNs}`);
    }
  }
  const raw = sum(vcpus.map(({ clock }) => clock.rawBackwardSteps));
  const monitored = sum(vcpus.map(({ clock }) => clock.monitored));
  const largestNs = vcpus.reduce((largest, { clock }) => Math.max(largest, clock.maxRawBackwardNs), 0);
  const detail = `0 guarded in ${count(monitored, "reading")}; ${raw} raw, at most ${largestNs} ns (bound ${boundNs} ns)`;
  return judge("guarded clocks never step back", problems, monitored, detail);
}

/**
 * How far two correct readings at one instant can lie apart: each loses up to 1 ns when it is rounded down and up to one
 * cycle between anchor and TSC, and a page that was not re-anchored lags by one part in 2^31.
 */
function rawStepBoundNs(elapsedNs: Ns, tscKhz: number): Ns {
  const cycleNs = Math.ceil(1_000_000 / tscKhz);
  return 1 + 2 * cycleNs + Math.ceil(elapsedNs / (TWO_POW_32 / 2));
}

function pageStealEqualsLedger({ ram, checker, nanoseconds }: Evidence): InvariantResult {
  const problems: string[] = [];
  let pages = 0;
  const found = new U64();
  checker.witnesses.forEach(({ log }, vcpu) => {
    if (log.base < 0 || log.updates === 0) return;
    if (log.lastOffered) pages++;
    const expectedMs = log.lastOffered ? Math.floor(log.lastStealNs / NS_PER_MS) >>> 0 : 0;
    const stealMs = Atomics.load(ram, log.base + STEAL_MS_WORD) >>> 0;
    if (stealMs !== expectedMs) problems.push(`vCPU ${vcpu}: page says ${stealMs} ms, the ledger said ${expectedMs}`);
    if (!nanoseconds || !log.lastOffered) return;
    found.set(Atomics.load(ram, log.base + STEAL_NS_WORD + 1), Atomics.load(ram, log.base + STEAL_NS_WORD));
    if (found.toNumber() !== log.lastStealNs) {
      problems.push(`vCPU ${vcpu}: page says ${found.toNumber()} ns, the ledger said ${log.lastStealNs}`);
    }
  });
  return judge("page steal equals the ledger at the last write", problems, pages, count(pages, "page"));
}

function guestStealEqualsLog({ checker, steal, vcpus, nanoseconds }: Evidence): InvariantResult {
  const problems: string[] = [];
  let compared = 0;
  steal.forEach((report, vcpu) => {
    const { log } = checker.witnesses[vcpu];
    for (const { base, firstVersion, lastVersion, takenNs } of report.stretches) {
      const firstNs = log.stealAt(firstVersion, base);
      const lastNs = log.stealAt(lastVersion, base);
      if (firstNs === null || lastNs === null) continue;
      compared++;
      const expectedNs = nanoseconds ? lastNs - firstNs : (wholeMs(lastNs) - wholeMs(firstNs)) * NS_PER_MS;
      if (takenNs === expectedNs) continue;
      const versions = `versions ${firstVersion >>> 0} to ${lastVersion >>> 0}`;
      problems.push(`vCPU ${vcpu}: the guest took ${takenNs} ns in ${versions}, the host published ${expectedNs}`);
    }
    for (const problem of sumProblems(report, vcpus[vcpu])) problems.push(`vCPU ${vcpu}: ${problem}`);
  });
  return judge(
    "guest steal equals the host's log",
    problems,
    compared,
    `${count(compared, "stretch", "stretches")} of updates, to the last version accepted`,
  );
}

/** All that was taken is booked, and was taken in one of the stretches. */
function sumProblems({ takenNs, stretches }: StealReport, { guest }: VcpuResult): string[] {
  const problems: string[] = [];
  const bookedNs = guest.stealNs + guest.stealDroppedIdleNs;
  if (bookedNs !== takenNs) problems.push(`accounted and dropped ${bookedNs} ns of ${takenNs} taken`);
  const stretchesNs = sum(stretches.map((stretch) => stretch.takenNs));
  if (stretchesNs !== takenNs) problems.push(`the guest took ${takenNs} ns, its stretches are ${stretchesNs}`);
  return problems;
}

function guestNeverAhead({ vcpus, checker, nanoseconds }: Evidence): InvariantResult {
  const problems: string[] = [];
  let compared = 0;
  vcpus.forEach(({ id, guest }) => {
    if (!guest.stealEnabled) return;
    compared++;
    const guestNs = guest.stealNs + guest.stealDroppedIdleNs;
    const publishedNs = checker.witnesses[id].log.takeableNs(nanoseconds ? 1 : NS_PER_MS);
    if (guestNs > publishedNs) problems.push(`vCPU ${id}: guest has ${guestNs} ns, the host published ${publishedNs}`);
  });
  return judge("guest steal is never ahead of the host", problems, compared, count(compared, "vCPU"));
}

function wholeMs(ns: Ns): number {
  return Math.floor(ns / NS_PER_MS);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
