import type { AuditRing } from "../shared/audit-ring.js";
import { wholeMsOf } from "../shared/division.js";
import { AtomicsProtocol, type PageProtocol } from "../shared/page-protocol.js";
import {
  FLAG_STEAL_MS,
  FLAG_STEAL_NS,
  PAGE_WORDS,
  PAGE_WORDS_NS,
  packShiftAndFlags,
  SHIFT_AND_FLAGS_WORD,
  STEAL_MS_WORD,
  STEAL_NS_WORD,
  SYSTEM_TIME_WORD,
  TSC_TIMESTAMP_WORD,
  TSC_TO_SYSTEM_MUL_WORD,
  VERSION_WORD,
} from "../shared/pvclock-page.js";
import type { Tsc } from "../shared/tsc.js";
import { storeWords, U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import type { SchedNotifier } from "./sched-notifier.js";

/**
 * `entry`: the RFC's patch 2. `pcpu-change`: the kernel before it. `steal-entry`: the steal at each entry, time on another pCPU
 * only, as kernels do since steal has a structure of its own. The host itself drives `periodic`'s refreshes.
 */
type UpdatePolicyKind = "entry" | "pcpu-change" | "steal-entry" | "periodic";

/** What the host publishes, and how. */
export interface PublisherConfig {
  readonly policy: UpdatePolicyKind;
  readonly offersSteal: boolean;
  readonly nanoseconds: boolean;
  readonly tsc: Tsc;
  /** What a page's steal stands at when it is registered first: a machine that has been up for long. */
  readonly stealAtStartNs: Ns;
  /** The time to publish as steal: of the ledger, after the sched notifiers before this one have run. */
  readonly measuredNs: (vcpu: number) => Ns;
  readonly auditOf: (vcpu: number) => AuditRing | null;
  /** How pages are written (by Atomics). */
  readonly protocol?: PageProtocol;
}

/** Hears of every write, for whoever keeps a log to check the guest against. */
export interface PageObserver {
  /** Before the first write to a newly registered page. */
  registered(vcpu: number, base: number): void;
  /** There will be no more writes to it. */
  unregistered(vcpu: number): void;
  published(vcpu: number, version: number, stealNs: Ns, now: Ns): void;
  /** The machine is on another host, and from the next write on the pages are that host's. */
  moved(offersSteal: boolean, now: Ns): void;
}

/** Hears of all that a host does: what hangs beside its ledger and its publisher. */
export type HostObserver = SchedNotifier & PageObserver;

/** A vCPU's registered page, as the host knows it. */
export interface PublishedPage {
  /** Index of its version word, -1 while none is registered. */
  readonly base: number;
  readonly updates: number;
  /** What the last update said. */
  readonly stealNs: Ns;
}

/** What is known of a vCPU's page, side by side: to publish is to touch one line of the cache. */
const CELLS = 4;
const BASE = 0;
const UPDATES = 1;
const STEAL = 2;
/** The measure at the first registration, from which the page counts; not a number before. */
const BASELINE = 3;

/**
 * Writes the pvclock pages: kvm_guest_time_update (arch/x86/kvm/x86.c) with the RFC's steal field. The hypervisor alone
 * writes a page. Hangs on the sched notifiers behind the ledger.
 */
export class PvclockPublisher implements SchedNotifier {
  readonly #protocol: PageProtocol;
  readonly #config: PublisherConfig;
  readonly #observers: readonly PageObserver[];
  readonly #cells: Float64Array;
  /** By vCPU: where its page was written last, when that matters; -1 for nowhere. */
  readonly #lastPcpus: Int32Array;
  readonly #cycles = new U64();
  #offersSteal: boolean;
  #wordCount = PAGE_WORDS;
  /** All that an update of the steal changes stands beside the version: not with the nanosecond extension. */
  #stealIsInHead = false;

  constructor(ram: Int32Array, vcpuCount: number, config: PublisherConfig, observers: readonly PageObserver[]) {
    this.#protocol = config.protocol ?? new AtomicsProtocol(ram);
    this.#config = config;
    this.#observers = observers;
    this.#offersSteal = config.offersSteal;
    this.#cells = new Float64Array(vcpuCount * CELLS);
    this.#lastPcpus = new Int32Array(vcpuCount).fill(-1);
    for (let row = 0; row < this.#cells.length; row += CELLS) {
      this.#cells[row + BASE] = -1;
      this.#cells[row + BASELINE] = Number.NaN;
    }
    this.#fillConstants();
  }

  /** This host offers steal time. */
  get offersSteal(): boolean {
    return this.#offersSteal;
  }

  /** Bytes that a page takes, from its version on. */
  get pageBytes(): number {
    return this.#wordCount * 4;
  }

  /** The pages carry the nanosecond extension. */
  get hasStealNs(): boolean {
    return this.#offersSteal && this.#config.nanoseconds;
  }

  pageOf(vcpu: number): PublishedPage {
    const [base, updates, stealNs] = this.#cells.subarray(vcpu * CELLS);
    return { base, updates, stealNs };
  }

  /** Takes a page into use and fills it at once. Time out of guest counts from the vCPU's first registration. */
  register(vcpu: number, base: number, now: Ns): void {
    const row = vcpu * CELLS;
    const first = Number.isNaN(this.#cells[row + BASELINE]);
    if (first) this.#cells[row + BASELINE] = this.#config.measuredNs(vcpu) - this.#config.stealAtStartNs;
    this.#cells[row + BASE] = base;
    for (const observer of this.#observers) observer.registered(vcpu, base);
    this.publish(vcpu, now);
  }

  /** The guest wrote 0: its page is memory like any other again. */
  unregister(vcpu: number): void {
    this.#cells[vcpu * CELLS + BASE] = -1;
    this.#lastPcpus[vcpu] = -1;
    for (const observer of this.#observers) observer.unregistered(vcpu);
  }

  /** Writes the page, if there is one: everything that can be known at this instant. */
  publish(vcpu: number, now: Ns): void {
    this.#publish(vcpu, now, false);
  }

  /**
   * The machine goes on, on another host: its pages are written anew at each vCPU's next entry, whatever the update policy.
   * The host's TSC may have another frequency by now.
   */
  moveTo(offersSteal: boolean, now: Ns): void {
    this.#offersSteal = offersSteal;
    this.#fillConstants();
    this.#lastPcpus.fill(-1);
    for (const observer of this.#observers) observer.moved(offersSteal, now);
  }

  /** Tells the guest that it was stopped as a whole (KVM_KVMCLOCK_CTRL, kvm_arch_suspend_notifier). */
  guestStopped(vcpu: number): void {
    const base = this.#cells[vcpu * CELLS + BASE];
    if (base >= 0) this.#protocol.setGuestStopped(base);
  }

  schedIn(vcpu: number, pcpu: number, now: Ns): void {
    const { policy } = this.#config;
    let stealAlone = false;
    if (policy === "pcpu-change" || policy === "steal-entry") {
      const stays = this.#lastPcpus[vcpu] === pcpu;
      this.#lastPcpus[vcpu] = pcpu;
      if (stays && policy === "pcpu-change") return;
      stealAlone = stays && this.#stealIsInHead;
    }
    this.#publish(vcpu, now, stealAlone);
  }

  schedOut(): void {}
  woken(): void {}
  suspended(): void {}

  /** @param stealAlone the page's time pair stays: it is right for the pCPU that the vCPU is on */
  #publish(vcpu: number, now: Ns, stealAlone: boolean): void {
    const cells = this.#cells;
    const row = vcpu * CELLS;
    const base = cells[row + BASE];
    if (base < 0) return;
    const stealNs = this.#config.measuredNs(vcpu) - cells[row + BASELINE];
    const audit = this.#config.auditOf(vcpu);
    const version = stealAlone ? this.#writeSteal(base, stealNs, audit) : this.#writeAll(base, stealNs, audit, now);
    cells[row + UPDATES]++;
    cells[row + STEAL] = stealNs;
    for (const observer of this.#observers) observer.published(vcpu, version, stealNs, now);
  }

  #writeAll(base: number, stealNs: Ns, audit: AuditRing | null, now: Ns): number {
    this.#fillValues(stealNs, now);
    return this.#protocol.write(base, this.#wordCount, audit);
  }

  /** The page is whole: this host wrote it before, and nobody else does. */
  #writeSteal(base: number, stealNs: Ns, audit: AuditRing | null): number {
    const stealMs = wholeMsOf(stealNs) | 0;
    if (audit !== null) this.#noteSteal(audit, base, stealMs);
    return this.#protocol.writeSteal(base, stealMs);
  }

  /** For the audit an update is whole words: the steal, and what this thread, the page's one writer, left beside it. */
  #noteSteal(audit: AuditRing, base: number, stealMs: number): void {
    const { words } = this.#protocol;
    if (this.#protocol.read(base, PAGE_WORDS, 0) !== 0)
      throw new RangeError(`the page at word ${base} is half written`);
    words[STEAL_MS_WORD] = stealMs;
    audit.record((words[VERSION_WORD] + 2) | 0, words, PAGE_WORDS);
  }

  /** The words that every update of this host has in common. */
  #fillConstants(): void {
    const { values } = this.#protocol;
    this.#wordCount = this.hasStealNs ? PAGE_WORDS_NS : PAGE_WORDS;
    this.#stealIsInHead = this.#offersSteal && !this.hasStealNs;
    const flags = (this.#offersSteal ? FLAG_STEAL_MS : 0) | (this.hasStealNs ? FLAG_STEAL_NS : 0);
    const { tscToSystemMul, tscShift } = this.#config.tsc.rate;
    values[TSC_TO_SYSTEM_MUL_WORD] = tscToSystemMul | 0;
    values[SHIFT_AND_FLAGS_WORD] = packShiftAndFlags(tscShift, flags);
    // pad0, where the host has no steal to tell.
    values[STEAL_MS_WORD] = 0;
  }

  #fillValues(stealNs: Ns, now: Ns): void {
    const { values } = this.#protocol;
    if (this.#offersSteal) {
      // The running total is rounded, never a slice: slices below 1 ms would all be lost. Modulo 2^32, as the field is.
      values[STEAL_MS_WORD] = wholeMsOf(stealNs) | 0;
      if (this.#config.nanoseconds) storeWords(values, STEAL_NS_WORD, stealNs);
    }
    this.#config.tsc.cyclesAt(now, this.#cycles);
    values[TSC_TIMESTAMP_WORD] = this.#cycles.low;
    values[TSC_TIMESTAMP_WORD + 1] = this.#cycles.high;
    storeWords(values, SYSTEM_TIME_WORD, now);
  }
}
