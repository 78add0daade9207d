import { DeadlineHeap, NEVER } from "../shared/deadline-heap.js";
import { type CpuidRegisters, ExitReason } from "../shared/kvm-abi.js";
import type { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import { BALANCE_SLICES, FIRST_BALANCE_SLICES } from "./balancer.js";
import { CommandRing, HostCommand } from "./command-ring.js";
import { FairScheduler, type SchedDecisions } from "./fair-scheduler.js";
import type { Host } from "./host.js";
import { HostTask } from "./host-task.js";
import { KvmPlatform } from "./kvm-platform.js";
import { Ledger } from "./ledger.js";
import { type HostObserver, type PublisherConfig, PvclockPublisher } from "./pvclock-publisher.js";
import { entityCells, RequestSize, SchedEntity } from "./sched-entity.js";
import { OutState, type SchedNotifier } from "./sched-notifier.js";

/** Who wants to run, and where it may. */
interface SchedParameters {
  readonly nice: number;
  readonly pcpus: readonly number[] | null;
}

export interface FairHostConfig {
  readonly pcpus: number;
  readonly sliceNs: Ns;
  /** Refresh the pages of running vCPUs this often; null for never. */
  readonly refreshNs: Ns | null;
  readonly measure: "out-of-guest" | "wait";
  readonly publish: Omit<PublisherConfig, "measuredNs">;
  readonly vcpus: readonly SchedParameters[];
  readonly tasks: readonly (SchedParameters & { readonly duty: { busyNs: Ns; periodNs: Ns } | null })[];
  /** Suspensions of the whole machine, in order, none before the one in front of it is over. */
  readonly suspensions: readonly Suspension[];
}

/** The whole machine stands still for a while: the host was suspended, or the machine is being moved to another host. */
export interface Suspension {
  /** From the run's t0. */
  readonly atNs: Ns;
  readonly forNs: Ns;
  /** The host on which it goes on, when it is another one. */
  readonly moveTo: { readonly offersSteal: boolean; readonly tscKhz: number } | null;
}

/** Why a vCPU is off its pCPU and wants none. */
const Blocked = { Not: 0, Halted: 1, Offline: 2 } as const;

/** The emulated host: its own scheduler over emulated pCPUs, a ledger, and a page for each vCPU that registers one. */
export class FairHost implements Host, SchedDecisions {
  readonly ledger: Ledger;
  readonly publisher: PvclockPublisher;
  readonly platform: KvmPlatform;
  readonly commands: CommandRing;
  readonly #config: FairHostConfig;
  readonly #notifiers: readonly SchedNotifier[];
  readonly #entities: readonly SchedEntity[];
  readonly #scheduler: FairScheduler;
  /** Slots: pCPUs, timers of vCPUs and host tasks, the balancer, the refresh of running vCPUs, the next suspension. */
  readonly #deadlines: DeadlineHeap;
  readonly #balanceSlot: number;
  readonly #refreshSlot: number;
  readonly #suspensionSlot: number;
  readonly #pendingInterrupt: Uint8Array;
  readonly #blocked: Uint8Array;
  #running = 0;
  #beganAt: Ns = 0;
  #suspensionsBegun = 0;
  /** The suspension that is going on, and when it is over. */
  #suspension: Suspension | null = null;
  #resumeAt: Ns = NEVER;

  /** @param observers hear of every change after the ledger and before the publisher, and of every page write */
  constructor(ram: Int32Array, config: FairHostConfig, observers: readonly HostObserver[]) {
    const vcpuCount = config.vcpus.length;
    this.#config = config;
    this.#entities = entitiesOf(config);
    this.#balanceSlot = config.pcpus + this.#entities.length;
    this.#refreshSlot = this.#balanceSlot + 1;
    this.#suspensionSlot = this.#refreshSlot + 1;
    this.#deadlines = new DeadlineHeap(this.#suspensionSlot + 1);
    this.#pendingInterrupt = new Uint8Array(vcpuCount);
    this.#blocked = new Uint8Array(vcpuCount);
    this.commands = new CommandRing(vcpuCount);
    this.ledger = new Ledger(vcpuCount);
    const { ledger } = this;
    const measuredNs =
      config.measure === "wait"
        ? (vcpu: number): Ns => ledger.of(vcpu).waitNs
        : (vcpu: number): Ns => ledger.of(vcpu).outOfGuestNs;
    this.publisher = new PvclockPublisher(ram, vcpuCount, { ...config.publish, measuredNs }, observers);
    this.platform = new KvmPlatform(ram.byteLength, this.publisher);
    this.#notifiers = [this.ledger, ...observers, this.publisher];
    this.#scheduler = new FairScheduler(config.pcpus, config.sliceNs, this.#entities, this.#deadlines, this);
  }

  get nextDeadline(): Ns {
    if (this.#suspension === null) return this.#deadlines.earliest;
    // Whoever was kicked has to be back first.
    return this.#running > 0 ? NEVER : this.#resumeAt;
  }

  get quiescent(): boolean {
    return this.#running === 0;
  }

  begin(now: Ns): void {
    this.#beganAt = now;
    this.ledger.begin(now);
    this.#setNextSuspension();
    if (this.#config.pcpus > 1)
      this.#deadlines.set(this.#balanceSlot, now + FIRST_BALANCE_SLICES * this.#config.sliceNs);
    if (this.#config.refreshNs !== null) this.#deadlines.set(this.#refreshSlot, now + this.#config.refreshNs);
    for (const entity of this.#entities) {
      entity.task?.start(now);
      this.#scheduler.wake(entity, now);
    }
  }

  advance(now: Ns): void {
    while (this.nextDeadline <= now) this.serveEarliest(now);
  }

  /** Serves the one deadline that is next, which must be due. */
  serveEarliest(now: Ns): void {
    if (this.#suspension === null) this.#deadlineDue(this.#deadlines.earliestSlot, now);
    else this.#resume(this.#suspension, now);
  }

  exited(vcpu: number, reason: ExitReason, wakeAt: Ns, now: Ns): void {
    const entity = this.#entities[vcpu];
    this.#running--;
    switch (reason) {
      case ExitReason.Kicked:
        this.#schedOut(vcpu, this.#suspension === null ? OutState.Wait : OutState.Offline, now);
        this.#scheduler.yielded(entity, now);
        return;
      case ExitReason.Halted:
        this.#schedOut(vcpu, OutState.Halt, now);
        this.#blocked[vcpu] = Blocked.Halted;
        this.#deadlines.set(this.#timerSlot(vcpu), wakeAt);
        this.#scheduler.blocked(entity, now);
        if (this.#pendingInterrupt[vcpu] !== 0) this.interrupt(vcpu, now);
        return;
      case ExitReason.Offline:
        this.#schedOut(vcpu, OutState.Offline, now);
        this.#blocked[vcpu] = Blocked.Offline;
        this.#deadlines.set(this.#timerSlot(vcpu), wakeAt);
        this.#scheduler.blocked(entity, now);
        return;
    }
  }

  interrupt(vcpu: number, now: Ns): void {
    if (this.#blocked[vcpu] === Blocked.Halted && this.#suspension === null) this.#unblock(vcpu, now);
    else this.#pendingInterrupt[vcpu] = 1;
  }

  cpuid(leaf: number, out: CpuidRegisters): void {
    this.platform.cpuid(leaf, out);
  }

  writeMsr(vcpu: number, index: number, value: U64, now: Ns): boolean {
    return this.platform.writeMsr(vcpu, index, value, now);
  }

  stop(now: Ns): void {
    this.#scheduler.stop(now);
    this.#resumeAt = NEVER;
    for (let slot = 0; slot <= this.#suspensionSlot; slot++) this.#deadlines.clear(slot);
  }

  schedIn(entity: SchedEntity, pcpu: number, now: Ns): void {
    if (entity.task !== null) return;
    this.#running++;
    for (const notifier of this.#notifiers) notifier.schedIn(entity.id, pcpu, now);
    this.commands.push(HostCommand.Grant, entity.id);
  }

  kick(entity: SchedEntity): void {
    this.commands.push(HostCommand.Kick, entity.id);
  }

  taskBlocked(entity: SchedEntity): void {
    this.#deadlines.set(this.#timerSlot(entity.id), entity.task?.wakeAt ?? NEVER);
  }

  #schedOut(vcpu: number, state: OutState, now: Ns): void {
    for (const notifier of this.#notifiers) notifier.schedOut(vcpu, state, now);
  }

  #timerSlot(entity: number): number {
    return this.#config.pcpus + entity;
  }

  #deadlineDue(slot: number, now: Ns): void {
    if (slot < this.#config.pcpus) {
      this.#scheduler.deadlineDue(slot, now);
    } else if (slot === this.#balanceSlot) {
      this.#setNext(slot, BALANCE_SLICES * this.#config.sliceNs, now);
      this.#scheduler.balance(now);
    } else if (slot === this.#refreshSlot) {
      this.#refresh(now);
    } else if (slot === this.#suspensionSlot) {
      this.#suspend(this.#config.suspensions[this.#suspensionsBegun++], now);
    } else {
      this.#timerExpired(slot - this.#config.pcpus, now);
    }
  }

  /** A periodic deadline is due: the next one on its grid, or a full period from now when that has passed as well. */
  #setNext(slot: number, periodNs: Ns, now: Ns): void {
    const onGrid = this.#deadlines.earliest + periodNs;
    this.#deadlines.set(slot, onGrid > now ? onGrid : now + periodNs);
  }

  #timerExpired(entityId: number, now: Ns): void {
    const entity = this.#entities[entityId];
    if (entity.task === null) {
      this.#unblock(entityId, now);
    } else {
      this.#deadlines.clear(this.#timerSlot(entityId));
      entity.task.woken(now);
      this.#scheduler.wake(entity, now);
    }
  }

  /** A vCPU wants a pCPU again: an interrupt came for it, or another CPU of its guest brought it online. */
  #unblock(vcpu: number, now: Ns): void {
    this.#pendingInterrupt[vcpu] = 0;
    this.#blocked[vcpu] = Blocked.Not;
    this.#deadlines.clear(this.#timerSlot(vcpu));
    for (const notifier of this.#notifiers) notifier.woken(vcpu, now);
    this.#scheduler.wake(this.#entities[vcpu], now);
  }

  #setNextSuspension(): void {
    const next = this.#config.suspensions.at(this.#suspensionsBegun);
    if (next !== undefined) this.#deadlines.set(this.#suspensionSlot, this.#beganAt + next.atNs);
  }

  /** Everything stops where it is. Who waited or ran is out until the end; who halted had asked to be out. */
  #suspend(suspension: Suspension, now: Ns): void {
    this.#suspension = suspension;
    this.#resumeAt = now + suspension.forNs;
    this.#deadlines.clear(this.#suspensionSlot);
    for (const { id, task, heapIndex } of this.#entities) {
      if (task !== null || heapIndex < 0) continue;
      for (const notifier of this.#notifiers) notifier.suspended(id, now);
    }
    this.#scheduler.freeze(now);
  }

  /**
   * Everything goes on. The guest is told that it was stopped, so that its watchdog takes no notice; timers that fell due
   * meanwhile go off after this.
   */
  #resume({ moveTo }: Suspension, now: Ns): void {
    this.#suspension = null;
    if (moveTo !== null) {
      this.#config.publish.tsc.changeFrequency(moveTo.tscKhz, now);
      this.publisher.moveTo(moveTo.offersSteal, now);
    }
    this.#setNextSuspension();
    for (const { id, task, heapIndex } of this.#entities) {
      if (task !== null) continue;
      this.publisher.guestStopped(id);
      if (heapIndex < 0) continue;
      for (const notifier of this.#notifiers) notifier.woken(id, now);
    }
    this.#scheduler.thaw(now);
    for (let vcpu = 0; vcpu < this.#blocked.length; vcpu++) {
      if (this.#pendingInterrupt[vcpu] !== 0) this.interrupt(vcpu, now);
    }
  }

  /** A running vCPU's steal stands still, but its (tsc, system time) pair is made new. */
  #refresh(now: Ns): void {
    if (this.#config.refreshNs === null) return;
    this.#setNext(this.#refreshSlot, this.#config.refreshNs, now);
    for (let pcpu = 0; pcpu < this.#config.pcpus; pcpu++) {
      const entity = this.#scheduler.runningOn(pcpu);
      if (entity !== null && entity.task === null) this.publisher.publish(entity.id, now);
    }
  }
}

function entitiesOf(config: FairHostConfig): SchedEntity[] {
  const { sliceNs, vcpus, tasks } = config;
  const cells = entityCells(vcpus.length + tasks.length);
  const requests = new Map<number, RequestSize>();
  const requestOf = (nice: number): RequestSize => {
    const request = requests.get(nice) ?? new RequestSize(nice, sliceNs);
    requests.set(nice, request);
    return request;
  };
  return [
    ...vcpus.map(({ nice, pcpus }, id) => new SchedEntity(id, requestOf(nice), pcpus, null, cells)),
    ...tasks.map(
      ({ nice, pcpus, duty }, index) =>
        new SchedEntity(vcpus.length + index, requestOf(nice), pcpus, new HostTask(duty), cells),
    ),
  ];
}
