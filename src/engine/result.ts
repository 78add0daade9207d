import type { Ns } from "../shared/units.js";
import type { AccountingName, EngineKind, HostKind, Scenario } from "./scenario.js";

/** What a run found. Schema `stealclock.run/1`; every ns is an integer. */
export interface RunResult {
  readonly schema: "stealclock.run/1";
  readonly engine: EngineKind;
  /** Of the virtual engine; null for the real one, which can't be repeated. */
  readonly seed: number | null;
  readonly host: HostKind;
  readonly config: Scenario;
  /** From the start of the run's threads to t0; 0 in the virtual engine, where nothing takes time that is not said to. */
  readonly bootNs: Ns;
  /** From t0 (all vCPUs have registered) to the end of the ledger. */
  readonly elapsedNs: Ns;
  /** The run was ended early (Ctrl-C or an abort signal). */
  readonly stoppedEarly: boolean;
  /** Every invariant that was exercised held. */
  readonly ok: boolean;
  readonly vcpus: readonly VcpuResult[];
  readonly invariants: readonly InvariantResult[];
  /** What a reader should know before believing the figures: too much noise, more pCPUs than cores, ... */
  readonly warnings: readonly string[];
}

export interface VcpuResult {
  readonly id: number;
  readonly guest: GuestFigures;
  readonly host: HostFigures;
  readonly page: PageFigures;
  readonly reads: ReadFigures;
  readonly clock: ClockFigures;
  readonly cost: CostFigures;
}

/** What the guest CPU believes. */
export interface GuestFigures {
  readonly accounting: AccountingName;
  /** The guest found the feature, registered its page and its last read carried the steal flag. */
  readonly stealEnabled: boolean;
  readonly userNs: Ns;
  readonly systemNs: Ns;
  readonly idleNs: Ns;
  readonly stealNs: Ns;
  /** Taken from the page and dropped because the CPU was idle (rfc-v2). */
  readonly stealDroppedIdleNs: Ns;
  /** Tick deadlines that were accounted: taken, or accounted on idle exit. */
  readonly ticks: number;
  /** Tick deadlines that passed while out of guest and were never taken. */
  readonly lostTicks: number;
  readonly softlockups: { readonly reported: number; readonly suppressed: number };
}

/** What the host knows. run + wait + halt + offline = elapsed, exactly. */
export interface HostFigures {
  readonly runNs: Ns;
  readonly waitNs: Ns;
  readonly haltNs: Ns;
  readonly offlineNs: Ns;
  /** wait + halt + offline, all time not in the guest: what the RFC exports. */
  readonly outOfGuestNs: Ns;
  readonly entries: number;
  /** null on the linux host, which does not follow a thread from CPU to CPU. */
  readonly migrations: number | null;
  readonly wait: { readonly p50Ns: Ns; readonly p99Ns: Ns; readonly maxNs: Ns };
  /**
   * fair host: what the real machine took from this vCPU while the ledger says it ran; null where it cannot be known. In the
   * virtual engine the sum of the latencies that were drawn.
   */
  readonly noiseNs: Ns | null;
  /** linux host: on-CPU time as schedstat says it; null in the fair host. Its difference from runNs is an error bound. */
  readonly onCpuNs: Ns | null;
}

export interface PageFigures {
  /** Guest physical address registered; null when the guest has no registered page. */
  readonly gpa: number | null;
  /** Why the host refused the registration, or null. */
  readonly refused: string | null;
  readonly updates: number;
  readonly version: number;
  /** The 32-bit field at offset 4, as it stands. */
  readonly stealMs: number;
  /** The 64-bit field of the ns extension, null without it. */
  readonly stealNs: Ns | null;
}

export interface ReadFigures {
  readonly consistent: number;
  /** Of those, reads of another vCPU's page. */
  readonly remote: number;
  /** Reads that met an odd version or a change and had to retry. */
  readonly overlapped: number;
  readonly retries: number;
  readonly maxRetries: number;
  readonly gaveUp: number;
  readonly audited: number;
  /** Of those, the ones that had overlapped a write: the others could not be torn. */
  readonly auditedOverlapped: number;
  /** With checkProtocol: all other consistent reads. What the host had noted of their update was gone before they were audited. */
  readonly unaudited?: number;
  readonly torn: number;
}

export interface ClockFigures {
  /** Readings that were watched: about one in four. */
  readonly monitored: number;
  /** Unguarded readings below one already seen on any vCPU. */
  readonly rawBackwardSteps: number;
  /** The largest of them. */
  readonly maxRawBackwardNs: Ns;
  /** Guarded readings below one already seen on any vCPU: must be 0. */
  readonly backwardSteps: number;
}

/** Measured inside the guest, clock call subtracted; null when there was nothing to measure. */
export interface CostFigures {
  readonly tickNs: number | null;
  readonly pageReadNs: number | null;
}

export interface InvariantResult {
  readonly name: string;
  readonly status: "ok" | "broken" | "not exercised";
  readonly detail: string;
}

/** One line of `--sample`, and what the live view draws. Cumulative from t0. */
export interface Sample {
  readonly schema: "stealclock.sample/1";
  readonly elapsedNs: Ns;
  readonly vcpus: readonly VcpuSample[];
}

export interface VcpuSample {
  readonly id: number;
  /** As last told by the guest: at most 100 ms old while it runs, unchanged while it is out. */
  readonly guest: { readonly userNs: Ns; readonly systemNs: Ns; readonly idleNs: Ns; readonly stealNs: Ns };
  readonly host: {
    readonly state: "run" | "wait" | "halt" | "offline";
    readonly runNs: Ns;
    readonly waitNs: Ns;
    readonly haltNs: Ns;
    readonly offlineNs: Ns;
    readonly entries: number;
    readonly migrations: number;
  };
}

export interface EmulateOptions {
  /** Ends the run early; what ran is still reported. */
  readonly signal?: AbortSignal;
  /**
   * Called with a sample every sampleNs of the run's time. Virtual engine: when it returns a promise, the run does not get far
   * ahead of it.
   */
  readonly onSample?: (sample: Sample) => unknown;
  readonly sampleNs?: Ns;
  /** Virtual engine: called a few times a second with how far the run has come. */
  readonly onProgress?: (elapsedNs: Ns) => void;
  /** Virtual engine: the run ends here, though its duration is longer. */
  readonly untilNs?: Ns;
  /** Virtual engine: a folder into which each vCPU's page is written as it is at the end. */
  readonly dumpPages?: string;
  /** Virtual engine: a file to which each change of state is written, a JSON line each, until it has so many bytes. */
  readonly events?: { readonly file: string; readonly maxBytes: number };
  /**
   * Virtual engine: false leaves the checkers out, for speed, and there are no invariants in the result. "full" watches every
   * property that the fuzzer does, each an invariant more, at several times the cost.
   */
  readonly checks?: boolean | "full";
  /**
   * Audits every consistent read of a page, own and remote. Without it the real engine audits one read in eight and every one that
   * met a write, and the virtual engine, in which no read can meet one, none.
   */
  readonly checkProtocol?: boolean;
  /** By what pages are written and read: JavaScript's Atomics, or a WebAssembly module (the latter, where it can be loaded). */
  readonly protocolBackend?: ProtocolBackend;
  /** A line of diagnostics from one of the run's parts. */
  readonly onLog?: (line: LogLine) => void;
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly part: string;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export const PROTOCOL_BACKENDS = ["atomics", "wasm"] as const;
export type ProtocolBackend = (typeof PROTOCOL_BACKENDS)[number];
