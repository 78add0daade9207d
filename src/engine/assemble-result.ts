import type { Host } from "../host/host.js";
import { type LedgerState, LedgerState as State, type VcpuLedger } from "../host/ledger.js";
import { STEAL_MS_WORD, STEAL_NS_WORD, VERSION_WORD } from "../shared/pvclock-page.js";
import { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import { checkInvariants } from "./check/invariants.js";
import { MAX_NOISE_SHARE } from "./check/noise.js";
import type { RunChecker } from "./check/run-checker.js";
import type { HostFigures, InvariantResult, PageFigures, RunResult, Sample, VcpuResult, VcpuSample } from "./result.js";
import type { Scenario } from "./scenario.js";
import type { VcpuReport } from "./vcpu-report.js";

/** What a driver has in hand when its run is over. */
export interface FinishedRun {
  readonly scenario: Scenario;
  readonly bootNs: Ns;
  readonly elapsedNs: Ns;
  readonly stoppedEarly: boolean;
  readonly ram: Int32Array;
  readonly host: Host;
  /** null when nobody watched. */
  readonly checker: RunChecker | null;
  readonly reports: readonly VcpuReport[];
  /** Per vCPU; null where it cannot be known. */
  readonly noiseNs: readonly (Ns | null)[];
  /** Per vCPU; null but for the linux host. */
  readonly onCpuNs: readonly (Ns | null)[];
}

/** Sets what the guests believe beside what the host knows, and checks the one against the other. */
export function assembleResult(run: FinishedRun): RunResult {
  const { scenario, elapsedNs } = run;
  const vcpus = run.reports.map((report, id) => vcpuResultOf(run, report, id));
  const invariants = run.checker === null ? [] : invariantsOf(run, run.checker, vcpus);
  return {
    schema: "stealclock.run/1",
    engine: scenario.engine,
    seed: scenario.engine === "virtual" ? scenario.seed : null,
    host: scenario.host,
    config: scenario,
    bootNs: run.bootNs,
    elapsedNs,
    stoppedEarly: run.stoppedEarly,
    ok: invariants.every(({ status }) => status !== "broken"),
    vcpus,
    invariants,
    warnings: scenario.engine === "real" ? noiseWarnings(vcpus, elapsedNs) : [],
  };
}

function invariantsOf(run: FinishedRun, checker: RunChecker, vcpus: readonly VcpuResult[]): InvariantResult[] {
  const { scenario, elapsedNs, ram, host } = run;
  const { stealUnit, tscKhz, timeline } = scenario;
  const frequencies = timeline.map((event) => (event.kind === "migrate" ? event.tscKhz : tscKhz));
  return checkInvariants({
    elapsedNs,
    ram,
    ledger: host.ledger,
    checker,
    vcpus,
    steal: run.reports.map(({ steal }) => steal),
    nanoseconds: stealUnit === "ns",
    slowestTscKhz: Math.min(tscKhz, ...frequencies),
  });
}

function vcpuResultOf(run: FinishedRun, report: VcpuReport, id: number): VcpuResult {
  const { guest, reads, clock, cost } = report;
  const account = run.host.ledger.vcpus[id];
  return {
    id,
    guest,
    host: hostFiguresOf(account, run.noiseNs[id], run.onCpuNs[id], run.scenario.host === "fair"),
    page: pageFiguresOf(run.host, run.ram, id),
    reads,
    clock,
    cost,
  };
}

function hostFiguresOf(
  account: VcpuLedger,
  noiseNs: Ns | null,
  onCpuNs: Ns | null,
  followsMigrations: boolean,
): HostFigures {
  const { runNs, waitNs, haltNs, offlineNs, outOfGuestNs, entries, migrations } = account;
  return {
    runNs,
    waitNs,
    haltNs,
    offlineNs,
    outOfGuestNs,
    entries,
    migrations: followsMigrations ? migrations : null,
    wait: { p50Ns: account.waitQuantileNs(0.5), p99Ns: account.waitQuantileNs(0.99), maxNs: account.maxWaitNs },
    noiseNs,
    onCpuNs,
  };
}

function pageFiguresOf({ publisher, platform }: Host, ram: Int32Array, id: number): PageFigures {
  const { base, updates } = publisher.pageOf(id);
  const refused = platform.refusalOf(id);
  if (base < 0) return { gpa: null, refused, updates, version: 0, stealMs: 0, stealNs: null };
  const word = (index: number): number => Atomics.load(ram, base + index) >>> 0;
  return {
    gpa: base * 4,
    refused,
    updates,
    version: word(VERSION_WORD),
    stealMs: word(STEAL_MS_WORD),
    stealNs: publisher.hasStealNs ? new U64().set(word(STEAL_NS_WORD + 1), word(STEAL_NS_WORD)).toNumber() : null,
  };
}

function noiseWarnings(vcpus: readonly VcpuResult[], elapsedNs: Ns): string[] {
  const noisy = vcpus.filter(({ host }) => (host.noiseNs ?? 0) > elapsedNs * MAX_NOISE_SHARE);
  if (noisy.length === 0) return [];
  const worst = noisy.reduce((largest, { host }) => Math.max(largest, host.noiseNs ?? 0), 0) / elapsedNs;
  return [
    `the real machine took more than ${MAX_NOISE_SHARE * 100} % of elapsed time from ${noisy.length} of ${vcpus.length} vCPUs ` +
      `while they were to run (at most ${(worst * 100).toFixed(1)} %): the shares of this run can't be trusted`,
  ];
}

const STATE_NAMES: Readonly<Record<LedgerState, VcpuSample["host"]["state"]>> = {
  [State.Run]: "run",
  [State.Wait]: "wait",
  [State.Halt]: "halt",
  [State.Offline]: "offline",
};

/** Where a run stands. @param guests each guest's figures as last told */
export function sampleOf(host: Host, guests: readonly VcpuSample["guest"][], startNs: Ns, now: Ns): Sample {
  return {
    schema: "stealclock.sample/1",
    elapsedNs: now - startNs,
    vcpus: host.ledger.vcpus.map((account, id) => ({
      id,
      guest: guests[id],
      host: {
        state: STATE_NAMES[account.state],
        runNs: account.totalNs(State.Run, now),
        waitNs: account.totalNs(State.Wait, now),
        haltNs: account.totalNs(State.Halt, now),
        offlineNs: account.totalNs(State.Offline, now),
        entries: account.entries,
        migrations: account.migrations,
      },
    })),
  };
}
