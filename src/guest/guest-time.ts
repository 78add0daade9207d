import type { AuditRing } from "../shared/audit-ring.js";
import { type Hypercalls, MSR_ENABLE_BIT, MSR_KVM_SYSTEM_TIME_NEW } from "../shared/kvm-abi.js";
import type { PageProtocol } from "../shared/page-protocol.js";
import { PAGE_WORDS, PAGE_WORDS_NS } from "../shared/pvclock-page.js";
import { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import { type CpuState, NO_PAGE } from "./cpu-state.js";
import type { KvmFeatures } from "./features.js";
import { publishPvclockAddress, pvclockAddressOf } from "./kernel-data.js";
import { Kvmclock } from "./kvmclock.js";
import { OwnPage } from "./own-page.js";
import { type PageLocation, PageReader } from "./page-reader.js";
import type { PvclockArithmetic } from "./pvclock-arithmetic.js";
import { StealClock } from "./steal-clock.js";
import type { TscRegister } from "./tsc-register.js";

/** The machine that guest CPUs find themselves on. */
export interface GuestMachine {
  readonly ram: Int32Array;
  /** How its pages are read in this thread. */
  readonly protocol: PageProtocol;
  readonly cpuCount: number;
  readonly tsc: TscRegister;
  readonly pvclockArithmetic: PvclockArithmetic;
  /** Where the updates of a CPU's page can be audited. */
  auditOf(cpu: number): AuditRing | null;
  /** Each consistent read of a page is audited, not one in some. */
  readonly auditsEveryRead: boolean;
}

/** A guest CPU's paravirtual time: finds the features, registers the page, and owns the clocks that read it. */
export class GuestTime {
  readonly reader: PageReader;
  readonly stealClock: StealClock;
  readonly kvmclock: Kvmclock;
  readonly #machine: GuestMachine;
  readonly #hypercalls: Hypercalls;
  readonly #features: KvmFeatures;
  readonly #page: OwnPage;
  readonly #cpu: CpuState;
  readonly #locations: (PageLocation | undefined)[] = [];

  /** @param features what the CPU found when it booted: they decide how wide the page is */
  constructor(machine: GuestMachine, hypercalls: Hypercalls, features: KvmFeatures, cpu: CpuState) {
    this.#machine = machine;
    this.#hypercalls = hypercalls;
    this.#features = features;
    this.#cpu = cpu;
    this.#page = new OwnPage(machine, cpu);
    const wordCount = features.stealNs ? PAGE_WORDS_NS : PAGE_WORDS;
    this.reader = new PageReader(machine.ram, wordCount, cpu, machine.auditsEveryRead, machine.protocol);
    this.stealClock = new StealClock(this.reader, this.#page, features.stealNs, cpu);
    this.kvmclock = new Kvmclock(this.reader, machine.tsc, machine.pvclockArithmetic, cpu);
  }

  get registered(): boolean {
    return this.#page.registered;
  }

  /** Reads of other CPUs' pages that were consistent. */
  get remoteReads(): number {
    return this.#cpu.rare.remoteReads;
  }

  /**
   * Registers the page: kvm_register_clock. Without the feature, or when the host refuses the address, the CPU runs on
   * without steal, on the clock it has without a hypervisor's help.
   */
  register(gpa: number, accountSteal: boolean): void {
    this.#cpu.rare.gpa = gpa;
    this.#cpu.rare.accountSteal = accountSteal;
    if (!this.#features.clocksource) return;
    const value = new U64().setNumber(gpa);
    value.low |= MSR_ENABLE_BIT;
    if (!this.#hypercalls.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, value)) return;
    this.#cpu.pageBase = gpa >>> 2;
    publishPvclockAddress(this.#machine.ram, this.#cpu.cpu, gpa);
    if (accountSteal && (this.#features.stealMs || this.#features.stealNs)) this.stealClock.enable();
  }

  /** The CPU is online again: kvm_cpu_online. */
  registerAgain(): void {
    this.register(this.#cpu.rare.gpa, this.#cpu.rare.accountSteal);
  }

  /** Before the CPU goes offline: the host must not write to memory that the guest may reuse. */
  unregister(): void {
    this.stealClock.disable();
    publishPvclockAddress(this.#machine.ram, this.#cpu.cpu, 0);
    this.#cpu.pageBase = NO_PAGE;
    this.#hypercalls.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, new U64());
  }

  /** The kernel's clock: kvmclock with a registered page, the timer's own time without. */
  nowNs(timerNow: Ns): Ns {
    return this.#page.registered ? this.kvmclock.readNs(this.#page) : timerNow;
  }

  /** Reads its own page. @returns whether there is one and the read was consistent */
  readOwn(): boolean {
    return this.#page.registered && this.reader.read(this.#page);
  }

  /** Reads the next other CPU's page, as a kernel does that updates a remote run queue's clock. */
  readRemote(): void {
    const { cpuCount, ram } = this.#machine;
    const { cpu, rare } = this.#cpu;
    rare.remoteSteps = (rare.remoteSteps + 1) % cpuCount;
    if (rare.remoteSteps === 0) return;
    const remote = (cpu + rare.remoteSteps) % cpuCount;
    const gpa = pvclockAddressOf(ram, remote);
    if (gpa !== 0 && this.reader.read(this.#locationOf(remote, gpa))) rare.remoteReads++;
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
