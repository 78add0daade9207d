import { EventEmitter } from "node:events";
import { Writable } from "node:stream";
import type { CliContext } from "../src/cli/context.js";
import { runCli } from "../src/cli/program.js";
import type { RunResult, Sample, VcpuResult, VcpuSample } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import type { Machine } from "../src/engine/machine.js";

/** A machine that refuses nothing. */
export const MACHINE: Machine = { platform: "linux", cores: 8, availableBytes: 64e9, schedstat: true };

type DeepPartial<T> = { readonly [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K] };

/** One vCPU that ran half of 3 s and was told the truth about the other half. */
export function vcpuResult(id: number, changes: DeepPartial<VcpuResult> = {}): VcpuResult {
  const base: VcpuResult = {
    id,
    guest: {
      accounting: "rfc-v2",
      stealEnabled: true,
      userNs: 1_500_000_000,
      systemNs: 0,
      idleNs: 0,
      stealNs: 1_500_000_000,
      stealDroppedIdleNs: 0,
      ticks: 750,
      lostTicks: 3,
      softlockups: { reported: 0, suppressed: 0 },
    },
    host: {
      runNs: 1_500_000_000,
      waitNs: 1_500_000_000,
      haltNs: 0,
      offlineNs: 0,
      outOfGuestNs: 1_500_000_000,
      entries: 375,
      migrations: 0,
      wait: { p50Ns: 4_000_000, p99Ns: 4_300_000, maxNs: 12_345_678 },
      noiseNs: 30_000_000,
      onCpuNs: null,
    },
    page: { gpa: 4096, refused: null, updates: 375, version: 752, stealMs: 1500, stealNs: null },
    reads: {
      consistent: 1000,
      remote: 10,
      overlapped: 1,
      retries: 2,
      maxRetries: 2,
      gaveUp: 0,
      audited: 1,
      auditedOverlapped: 1,
      torn: 0,
    },
    clock: { monitored: 1000, rawBackwardSteps: 0, maxRawBackwardNs: 0, backwardSteps: 0 },
    cost: { tickNs: 400, pageReadNs: 150 },
  };
  return {
    ...base,
    guest: { ...base.guest, ...changes.guest } as VcpuResult["guest"],
    host: { ...base.host, ...changes.host } as VcpuResult["host"],
    page: { ...base.page, ...changes.page } as VcpuResult["page"],
    reads: { ...base.reads, ...changes.reads } as VcpuResult["reads"],
    cost: { ...base.cost, ...changes.cost } as VcpuResult["cost"],
  };
}

/** A run of 3 s of these vCPUs that held all its invariants. */
export function runResult(config: Scenario, changes: Partial<RunResult> = {}): RunResult {
  return {
    schema: "stealclock.run/1",
    engine: "real",
    host: config.host,
    config,
    bootNs: 120_000_000,
    elapsedNs: 3_000_000_000,
    stoppedEarly: false,
    ok: true,
    vcpus: config.vcpus.map((_, id) => vcpuResult(id)),
    invariants: [{ name: "ledger conserves time", status: "ok", detail: "on all vCPUs" }],
    warnings: [],
    ...changes,
  };
}

/** A sample in which every vCPU ran half of the time, and one in three was idle. */
export function sampleOf(vcpuCount: number, elapsedNs: number): Sample {
  const half = elapsedNs / 2;
  const vcpus = Array.from({ length: vcpuCount }, (_, id): VcpuSample => {
    const host = {
      state: "run",
      runNs: half,
      waitNs: half,
      haltNs: 0,
      offlineNs: 0,
      entries: 1,
      migrations: 0,
    } as const;
    return { id, guest: { userNs: half, systemNs: 0, idleNs: 0, stealNs: half }, host };
  });
  return { schema: "stealclock.sample/1", elapsedNs, vcpus };
}

/** A stream that keeps what is written; with a size it says that it is a terminal. */
export class Captured extends Writable {
  text = "";
  readonly isTTY: boolean;
  readonly columns?: number;
  readonly rows?: number;

  constructor(size?: { columns: number; rows: number }) {
    super({ decodeStrings: false });
    this.isTTY = size !== undefined;
    if (size !== undefined) {
      this.columns = size.columns;
      this.rows = size.rows;
    }
  }

  override _write(chunk: string, _encoding: string, done: (error?: Error | null) => void): void {
    this.text += chunk;
    done();
  }
}

/** A pipe whose reader goes away after so many characters. */
export class ClosedPipe extends Captured {
  constructor(private readonly limit: number) {
    super();
  }

  override _write(chunk: string, encoding: string, done: (error?: Error | null) => void): void {
    if (this.text.length >= this.limit) done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    else super._write(chunk, encoding, done);
  }
}

export interface CliOutcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly log: string;
  /** What was asked to be run, null when nothing was. */
  readonly scenario: Scenario | null;
  /** Exit codes with which the process would have been left at once. */
  readonly left: readonly number[];
}

export interface CliOptions extends Partial<Omit<CliContext, "stdout" | "stderr">> {
  readonly stdout?: Captured;
  readonly stderr?: Captured;
}

/** Runs the command line against a fake engine: no threads, no waiting. */
export async function cli(argv: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
  const stdout = options.stdout ?? new Captured();
  const stderr = options.stderr ?? new Captured();
  const log = new Captured();
  const left: number[] = [];
  let scenario: Scenario | null = null;
  const emulate = options.emulate ?? (async (asked: Scenario) => runResult(asked));
  const exitCode = await runCli(argv, {
    logDestination: () => log,
    machine: () => MACHINE,
    env: {},
    signals: new EventEmitter(),
    nowMs: () => 0,
    leave: (code) => left.push(code),
    ...options,
    stdout,
    stderr,
    emulate: (asked, emulateOptions) => {
      scenario = asked;
      return emulate(asked, emulateOptions);
    },
  });
  return { exitCode, stdout: stdout.text, stderr: stderr.text, log: log.text, scenario, left };
}
