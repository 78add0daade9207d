import type { AuditRing } from "../shared/audit-ring.js";
import { wholeQuotient } from "../shared/division.js";
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
} from "../shared/pvclock-page.js";
import type { Tsc } from "../shared/tsc.js";
import { storeWords, U64 } from "../shared/u64.js";
import { NS_PER_MS, type Ns } from "../shared/units.js";
import { setGuestStopped, writePage } from "../shared/version-protocol.js";
import type { SchedNotifier } from "./sched-notifier.js";

/** `entry`: the RFC's patch 2. `pcpu-change`: the kernel before it. The host itself drives `periodic`'s refreshes. */
type UpdatePolicyKind = "entry" | "pcpu-change" | "periodic";

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
  base: number;
  /** The measure at the first registration, from which the page counts. */
  baselineNs: Ns;
  everRegistered: boolean;
  lastPcpu: number;
  updates: number;
  version: number;
  stealNs: Ns;
}

/**
 * Writes the pvclock pages: kvm_guest_time_update (arch/x86/kvm/x86.c) with the RFC's steal field. The hypervisor alone
 * writes a page. Hangs on the sched notifiers behind the ledger.
 */
export class PvclockPublisher implements SchedNotifier {
  readonly #ram: Int32Array;
  readonly #config: PublisherConfig;
  readonly #observers: readonly PageObserver[];
  readonly #pages: PublishedPage[];
  readonly #values = new Int32Array(PAGE_WORDS_NS);
  readonly #cycles = new U64();
  #offersSteal: boolean;
  #wordCount = PAGE_WORDS;

  constructor(ram: Int32Array, vcpuCount: number, config: PublisherConfig, observers: readonly PageObserver[]) {
    this.#ram = ram;
    this.#config = config;
    this.#observers = observers;
    this.#offersSteal = config.offersSteal;
    this.#pages = Array.from({ length: vcpuCount }, () => ({
      base: -1,
      baselineNs: 0,
      everRegistered: false,
      lastPcpu: -1,
      updates: 0,
      version: 0,
      stealNs: 0,
    }));
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

  pageOf(vcpu: number): Readonly<PublishedPage> {
    return this.#pages[vcpu];
  }

  /** Takes a page into use and fills it at once. Time out of guest counts from the vCPU's first registration. */
  register(vcpu: number, base: number, now: Ns): void {
    const page = this.#pages[vcpu];
    if (!page.everRegistered) page.baselineNs = this.#config.measuredNs(vcpu) - this.#config.stealAtStartNs;
    page.everRegistered = true;
    page.base = base;
    for (const observer of this.#observers) observer.registered(vcpu, base);
    this.publish(vcpu, now);
  }

  /** The guest wrote 0: its page is memory like any other again. */
  unregister(vcpu: number): void {
    const page = this.#pages[vcpu];
    page.base = -1;
    page.lastPcpu = -1;
    for (const observer of this.#observers) observer.unregistered(vcpu);
  }

  /** Writes the page, if there is one: everything that can be known at this instant. */
  publish(vcpu: number, now: Ns): void {
    const page = this.#pages[vcpu];
    if (page.base < 0) return;
    const stealNs = this.#config.measuredNs(vcpu) - page.baselineNs;
    this.#fillValues(stealNs, now);
    const audit = this.#config.auditOf(vcpu);
    page.version = writePage(this.#ram, page.base, this.#values, this.#wordCount, audit);
    page.updates++;
    page.stealNs = stealNs;
    for (const observer of this.#observers) observer.published(vcpu, page.version, stealNs, now);
  }

  /**
   * The machine goes on, on another host: its pages are written anew at each vCPU's next entry, whatever the update policy.
   * The host's TSC may have another frequency by now.
   */
  moveTo(offersSteal: boolean, now: Ns): void {
    this.#offersSteal = offersSteal;
    this.#fillConstants();
    for (const page of this.#pages) page.lastPcpu = -1;
    for (const observer of this.#observers) observer.moved(offersSteal, now);
  }

  /** Tells the guest that it was stopped as a whole (KVM_KVMCLOCK_CTRL, kvm_arch_suspend_notifier). */
  guestStopped(vcpu: number): void {
    const { base } = this.#pages[vcpu];
    if (base >= 0) setGuestStopped(this.#ram, base);
  }

  schedIn(vcpu: number, pcpu: number, now: Ns): void {
    const page = this.#pages[vcpu];
    if (this.#config.policy === "pcpu-change" && page.lastPcpu === pcpu) return;
    page.lastPcpu = pcpu;
    this.publish(vcpu, now);
  }

  schedOut(): void {}
  woken(): void {}
  suspended(): void {}

  /** The words that every update of this host has in common. */
  #fillConstants(): void {
    const values = this.#values;
    this.#wordCount = this.hasStealNs ? PAGE_WORDS_NS : PAGE_WORDS;
    const flags = this.#offersSteal ? FLAG_STEAL_MS | (this.#config.nanoseconds ? FLAG_STEAL_NS : 0) : 0;
    const { tscToSystemMul, tscShift } = this.#config.tsc.rate;
    values[TSC_TO_SYSTEM_MUL_WORD] = tscToSystemMul | 0;
    values[SHIFT_AND_FLAGS_WORD] = packShiftAndFlags(tscShift, flags);
    // pad0, where the host has no steal to tell.
    values[STEAL_MS_WORD] = 0;
  }

  #fillValues(stealNs: Ns, now: Ns): void {
    const values = this.#values;
    if (this.#offersSteal) {
      // The running total is rounded, never a slice: slices below 1 ms would all be lost. Modulo 2^32, as the field is.
      values[STEAL_MS_WORD] = wholeQuotient(stealNs, NS_PER_MS) | 0;
      if (this.#config.nanoseconds) storeWords(values, STEAL_NS_WORD, stealNs);
    }
    this.#config.tsc.cyclesAt(now, this.#cycles);
    values[TSC_TIMESTAMP_WORD] = this.#cycles.low;
    values[TSC_TIMESTAMP_WORD + 1] = this.#cycles.high;
    storeWords(values, SYSTEM_TIME_WORD, now);
  }
}
