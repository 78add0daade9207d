import type { AuditRing } from "../shared/audit-ring.js";
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
import type { TscFrequency } from "../shared/tsc.js";
import { storeWords, U64 } from "../shared/u64.js";
import { NS_PER_MS, type Ns } from "../shared/units.js";
import { writePage } from "../shared/version-protocol.js";
import type { SchedNotifier } from "./sched-notifier.js";

/** `entry`: the RFC's patch 2. `pcpu-change`: the kernel before it. The host itself drives `periodic`'s refreshes. */
type UpdatePolicyKind = "entry" | "pcpu-change" | "periodic";

/** What the host publishes, and how. */
export interface PublisherConfig {
  readonly policy: UpdatePolicyKind;
  readonly offersSteal: boolean;
  readonly nanoseconds: boolean;
  readonly tscFrequency: TscFrequency;
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
  published(vcpu: number, version: number, stealNs: Ns): void;
}

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
  readonly #observer: PageObserver;
  readonly #pages: PublishedPage[];
  readonly #values = new Int32Array(PAGE_WORDS_NS);
  readonly #cycles = new U64();
  readonly #wordCount: number;

  constructor(ram: Int32Array, vcpuCount: number, config: PublisherConfig, observer: PageObserver) {
    this.#ram = ram;
    this.#config = config;
    this.#observer = observer;
    this.#wordCount = config.offersSteal && config.nanoseconds ? PAGE_WORDS_NS : PAGE_WORDS;
    this.#pages = Array.from({ length: vcpuCount }, () => ({
      base: -1,
      baselineNs: 0,
      everRegistered: false,
      lastPcpu: -1,
      updates: 0,
      version: 0,
      stealNs: 0,
    }));
    const flags = config.offersSteal ? FLAG_STEAL_MS | (config.nanoseconds ? FLAG_STEAL_NS : 0) : 0;
    const { tscToSystemMul, tscShift } = config.tscFrequency.rate;
    this.#values[TSC_TO_SYSTEM_MUL_WORD] = tscToSystemMul | 0;
    this.#values[SHIFT_AND_FLAGS_WORD] = packShiftAndFlags(tscShift, flags);
  }

  /** Bytes that a page takes, from its version on. */
  get pageBytes(): number {
    return this.#wordCount * 4;
  }

  /** The pages carry the nanosecond extension. */
  get hasStealNs(): boolean {
    return this.#wordCount === PAGE_WORDS_NS;
  }

  pageOf(vcpu: number): Readonly<PublishedPage> {
    return this.#pages[vcpu];
  }

  /** Takes a page into use and fills it at once. Time out of guest counts from the vCPU's first registration. */
  register(vcpu: number, base: number, now: Ns): void {
    const page = this.#pages[vcpu];
    if (!page.everRegistered) page.baselineNs = this.#config.measuredNs(vcpu);
    page.everRegistered = true;
    page.base = base;
    this.#observer.registered(vcpu, base);
    this.publish(vcpu, now);
  }

  /** The guest wrote 0: its page is memory like any other again. */
  unregister(vcpu: number): void {
    const page = this.#pages[vcpu];
    page.base = -1;
    page.lastPcpu = -1;
    this.#observer.unregistered(vcpu);
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
    this.#observer.published(vcpu, page.version, stealNs);
  }

  schedIn(vcpu: number, pcpu: number, now: Ns): void {
    const page = this.#pages[vcpu];
    if (this.#config.policy === "pcpu-change" && page.lastPcpu === pcpu) return;
    page.lastPcpu = pcpu;
    this.publish(vcpu, now);
  }

  schedOut(): void {}
  woken(): void {}

  #fillValues(stealNs: Ns, now: Ns): void {
    const values = this.#values;
    if (this.#config.offersSteal) {
      // The running total is rounded, never a slice: slices below 1 ms would all be lost. Modulo 2^32, as the field is.
      values[STEAL_MS_WORD] = Math.floor(stealNs / NS_PER_MS) | 0;
      if (this.#config.nanoseconds) storeWords(values, STEAL_NS_WORD, stealNs);
    }
    this.#config.tscFrequency.cyclesAt(now, this.#cycles);
    values[TSC_TIMESTAMP_WORD] = this.#cycles.low | 0;
    values[TSC_TIMESTAMP_WORD + 1] = this.#cycles.high | 0;
    storeWords(values, SYSTEM_TIME_WORD, now);
  }
}
