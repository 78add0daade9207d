import { DeadlineHeap } from "../shared/deadline-heap.js";
import { type CpuidRegisters, ExitReason } from "../shared/kvm-abi.js";
import type { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import { CommandRing, HostCommand } from "./command-ring.js";
import type { Host } from "./host.js";
import { KvmPlatform } from "./kvm-platform.js";
import { Ledger } from "./ledger.js";
import { type HostObserver, type PublisherConfig, PvclockPublisher } from "./pvclock-publisher.js";
import { OutState, type SchedNotifier } from "./sched-notifier.js";

export interface LinuxHostConfig {
  readonly vcpuCount: number;
  readonly publish: Omit<PublisherConfig, "measuredNs" | "policy">;
}

/** There is one real machine, and which of its CPUs a thread is on we do not follow. */
const THE_MACHINE = 0;

/**
 * The real machine as host: vCPU threads run free, and the steal that is published is the run_delay that the real
 * kernel counted for each, as mainline KVM does (record_steal_time, arch/x86/kvm/x86.c). The driver reads schedstat and
 * tells. wait is run_delay, halt is what lies between HLT and wake-up, run is the rest of elapsed time.
 */
export class LinuxHost implements Host {
  readonly ledger: Ledger;
  readonly publisher: PvclockPublisher;
  readonly platform: KvmPlatform;
  readonly commands: CommandRing;
  readonly #notifiers: readonly SchedNotifier[];
  readonly #timers: DeadlineHeap;
  readonly #pendingInterrupt: Uint8Array;
  readonly #halted: Uint8Array;
  readonly #vcpuCount: number;
  #running = 0;
  #stopping = false;

  constructor(ram: Int32Array, config: LinuxHostConfig, observers: readonly HostObserver[]) {
    this.#vcpuCount = config.vcpuCount;
    this.#timers = new DeadlineHeap(config.vcpuCount);
    this.#pendingInterrupt = new Uint8Array(config.vcpuCount);
    this.#halted = new Uint8Array(config.vcpuCount);
    this.commands = new CommandRing(config.vcpuCount);
    this.ledger = new Ledger(config.vcpuCount);
    const measuredNs = (vcpu: number): Ns => this.ledger.of(vcpu).waitNs;
    const publish: PublisherConfig = { ...config.publish, policy: "entry", measuredNs };
    this.publisher = new PvclockPublisher(ram, config.vcpuCount, publish, observers);
    this.platform = new KvmPlatform(ram.byteLength, this.publisher);
    this.#notifiers = [this.ledger, ...observers, this.publisher];
  }

  get nextDeadline(): Ns {
    return this.#timers.earliest;
  }

  get quiescent(): boolean {
    return this.#running === 0;
  }

  begin(now: Ns): void {
    this.ledger.begin(now);
    for (let vcpu = 0; vcpu < this.#vcpuCount; vcpu++) this.#grant(vcpu, now);
  }

  advance(now: Ns): void {
    while (this.#timers.earliest <= now) this.interrupt(this.#timers.earliestSlot, now);
  }

  /** @param now the vCPU's own stamp; a wait observed since then has been booked already, so time does not go back */
  exited(vcpu: number, reason: ExitReason, wakeAt: Ns, now: Ns): void {
    const account = this.ledger.vcpus[vcpu];
    const at = Math.max(now, account.sinceNs);
    this.#running--;
    const state = reason === ExitReason.Halted ? OutState.Halt : OutState.Offline;
    for (const notifier of this.#notifiers) notifier.schedOut(vcpu, state, at);
    if (reason !== ExitReason.Halted) return;
    this.#halted[vcpu] = 1;
    this.#timers.set(vcpu, wakeAt);
    if (this.#pendingInterrupt[vcpu] !== 0) this.interrupt(vcpu, at);
  }

  interrupt(vcpu: number, now: Ns): void {
    if (this.#halted[vcpu] === 0) {
      this.#pendingInterrupt[vcpu] = 1;
      return;
    }
    this.#timers.clear(vcpu);
    if (this.#stopping) return;
    this.#pendingInterrupt[vcpu] = 0;
    this.#halted[vcpu] = 0;
    for (const notifier of this.#notifiers) notifier.woken(vcpu, now);
    this.#grant(vcpu, now);
  }

  /**
   * What the real kernel counted for a vCPU's thread since the last observation: books the waiting, and publishes it.
   *
   * @param waitedNs run_delay
   * @param slices how often the thread was put on a CPU: the real entries
   */
  observe(vcpu: number, waitedNs: Ns, slices: number, now: Ns): void {
    const account = this.ledger.of(vcpu);
    account.entries += slices;
    if (waitedNs === 0) return;
    // It comes out of what the ledger said so far: run; or halt or offline, when the thread was taken off between its stamp
    // and its park, as far as that goes.
    account.bookWait(waitedNs, now);
    this.publisher.publish(vcpu, now);
  }

  cpuid(leaf: number, out: CpuidRegisters): void {
    this.platform.cpuid(leaf, out);
  }

  writeMsr(vcpu: number, index: number, value: U64, now: Ns): boolean {
    return this.platform.writeMsr(vcpu, index, value, now);
  }

  stop(): void {
    this.#stopping = true;
    for (let vcpu = 0; vcpu < this.#vcpuCount; vcpu++) {
      this.#timers.clear(vcpu);
      if (this.#halted[vcpu] === 0) this.commands.push(HostCommand.Kick, vcpu);
    }
  }

  #grant(vcpu: number, now: Ns): void {
    this.#running++;
    for (const notifier of this.#notifiers) notifier.schedIn(vcpu, THE_MACHINE, now);
    // The kernel counts this entry too, and says so at the next observation.
    this.ledger.of(vcpu).entries--;
    this.commands.push(HostCommand.Grant, vcpu);
  }
}
