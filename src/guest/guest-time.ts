import type { AuditRing } from "../shared/audit-ring.js";
import { type Hypercalls, MSR_ENABLE_BIT, MSR_KVM_SYSTEM_TIME_NEW } from "../shared/kvm-abi.js";
import { PAGE_WORDS, PAGE_WORDS_NS } from "../shared/pvclock-page.js";
import { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import { discoverFeatures, type KvmFeatures } from "./features.js";
import { publishPvclockAddress, pvclockAddressOf } from "./kernel-data.js";
import { Kvmclock } from "./kvmclock.js";
import type { LastValue } from "./last-value.js";
import { type PageLocation, PageReader } from "./page-reader.js";
import { StealClock } from "./steal-clock.js";
import type { TscRegister } from "./tsc-register.js";

/** The machine that guest CPUs find themselves on. */
export interface GuestMachine {
  readonly ram: Int32Array;
  readonly cpuCount: number;
  readonly tsc: TscRegister;
  readonly lastValue: LastValue;
  /** Where the updates of a CPU's page can be audited. */
  auditOf(cpu: number): AuditRing | null;
}

/** A guest CPU's paravirtual time: finds the features, registers the page, and owns the clocks that read it. */
export class GuestTime {
  readonly reader: PageReader;
  readonly stealClock: StealClock;
  readonly kvmclock: Kvmclock;
  /** Reads of other CPUs' pages that were consistent. */
  remoteReads = 0;
  readonly #machine: GuestMachine;
  readonly #hypercalls: Hypercalls;
  readonly #features: KvmFeatures;
  readonly #cpu: number;
  readonly #locations: (PageLocation | undefined)[] = [];
  #page: PageLocation | null = null;
  #gpa = 0;
  #accountSteal = false;
  #nextRemote: number;

  /** Boots as far as CPUID: what the host offers decides how wide the page is. */
  constructor(machine: GuestMachine, hypercalls: Hypercalls, cpu: number) {
    this.#machine = machine;
    this.#hypercalls = hypercalls;
    this.#cpu = cpu;
    this.#nextRemote = cpu;
    this.#features = discoverFeatures(hypercalls);
    this.reader = new PageReader(machine.ram, this.#features.stealNs ? PAGE_WORDS_NS : PAGE_WORDS);
    this.stealClock = new StealClock(this.reader, this.#features.stealNs);
    this.kvmclock = new Kvmclock(this.reader, machine.tsc, machine.lastValue);
  }

  get registered(): boolean {
    return this.#page !== null;
  }

  /**
   * Registers the page: kvm_register_clock. Without the feature, or when the host refuses the address, the CPU runs on
   * without steal, on the clock it has without a hypervisor's help.
   */
  register(gpa: number, accountSteal: boolean): void {
    this.#gpa = gpa;
    this.#accountSteal = accountSteal;
    if (!this.#features.clocksource) return;
    const value = new U64().setNumber(gpa);
    value.low |= MSR_ENABLE_BIT;
    if (!this.#hypercalls.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, value)) return;
    this.#page = { base: gpa >>> 2, audit: this.#machine.auditOf(this.#cpu) };
    publishPvclockAddress(this.#machine.ram, this.#cpu, gpa);
    if (accountSteal && (this.#features.stealMs || this.#features.stealNs)) this.stealClock.enable(this.#page);
  }

  /** The CPU is online again: kvm_cpu_online. */
  registerAgain(): void {
    this.register(this.#gpa, this.#accountSteal);
  }

  /** Before the CPU goes offline: the host must not write to memory that the guest may reuse. */
  unregister(): void {
    this.stealClock.disable();
    publishPvclockAddress(this.#machine.ram, this.#cpu, 0);
    this.#page = null;
    this.#hypercalls.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, new U64());
  }

  /** The kernel's clock: kvmclock with a registered page, the timer's own time without. */
  nowNs(timerNow: Ns): Ns {
    return this.#page === null ? timerNow : this.kvmclock.readNs(this.#page);
  }

  /** Reads its own page. @returns whether there is one and the read was consistent */
  readOwn(): boolean {
    return this.#page !== null && this.reader.read(this.#page);
  }

  /** Reads the next other CPU's page, as a kernel does that updates a remote run queue's clock. */
  readRemote(): void {
    const { cpuCount, ram } = this.#machine;
    this.#nextRemote = (this.#nextRemote + 1) % cpuCount;
    if (this.#nextRemote === this.#cpu) return;
    const gpa = pvclockAddressOf(ram, this.#nextRemote);
    if (gpa !== 0 && this.reader.read(this.#locationOf(this.#nextRemote, gpa))) this.remoteReads++;
  }

  #locationOf(cpu: number, gpa: number): PageLocation {
    const base = gpa >>> 2;
    const known = this.#locations[cpu];
    if (known !== undefined && known.base === base) return known;
    const location = { base, audit: this.#machine.auditOf(cpu) };
    this.#locations[cpu] = location;
    return location;
  }
}
