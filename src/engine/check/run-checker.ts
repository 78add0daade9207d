import type { PageObserver } from "../../host/pvclock-publisher.js";
import { OutState, type SchedNotifier } from "../../host/sched-notifier.js";
import type { Ns } from "../../shared/units.js";
import { StealLog } from "./steal-log.js";

/** What the checker knows of one vCPU, from the notifications alone. */
export class VcpuWitness {
  inGuest = false;
  state: OutState = OutState.Wait;
  sinceNs: Ns = 0;
  runNs: Ns = 0;
  waitNs: Ns = 0;
  haltNs: Ns = 0;
  offlineNs: Ns = 0;
  pcpu = -1;
  readonly log: StealLog;

  constructor(log: StealLog) {
    this.log = log;
  }

  /** With the stay on a pCPU that is not over yet. */
  runNsAt(now: Ns): Ns {
    return this.inGuest ? this.runNs + (now - this.sinceNs) : this.runNs;
  }

  /** Takes so much of a kind of time away, as far as there is any. @returns what is left to be taken */
  take(kind: "runNs" | "haltNs" | "offlineNs", ns: Ns): Ns {
    const takenNs = Math.min(ns, this[kind]);
    this[kind] -= takenNs;
    return ns - takenNs;
  }

  book(now: Ns): void {
    const spanNs = now - this.sinceNs;
    this.sinceNs = now;
    if (this.inGuest) this.runNs += spanNs;
    else if (this.state === OutState.Wait) this.waitNs += spanNs;
    else if (this.state === OutState.Halt) this.haltNs += spanNs;
    else this.offlineNs += spanNs;
  }
}

/** What a checker must know of the run. */
export interface RunCheckerConfig {
  readonly vcpuCount: number;
  /** The measure is out-of-guest: halted time is published too. */
  readonly countsHalt: boolean;
  /** A pCPU belongs to one vCPU at a time (not so on the linux host). */
  readonly exclusivePcpus: boolean;
  readonly stealAtStartNs: Ns;
  /** The host that the run begins on offers steal time. */
  readonly offersSteal: boolean;
}

/**
 * Stands beside the host and keeps figures of its own, from what the notifiers and the publisher say happened: a second
 * bookkeeping, against which ledger, pages and guests are held at the end. Hangs on the sched notifiers between the
 * ledger and the publisher.
 */
export class RunChecker implements SchedNotifier, PageObserver {
  readonly witnesses: readonly VcpuWitness[];
  readonly #ram: Int32Array;
  readonly #config: RunCheckerConfig;
  #offersSteal: boolean;
  readonly #occupants = new Map<number, number>();
  /** What was seen to be wrong while it happened. */
  readonly violations: string[] = [];

  constructor(ram: Int32Array, config: RunCheckerConfig) {
    const { vcpuCount, stealAtStartNs, offersSteal } = config;
    this.#ram = ram;
    this.#config = config;
    this.#offersSteal = offersSteal;
    this.witnesses = Array.from({ length: vcpuCount }, () => new VcpuWitness(new StealLog(stealAtStartNs, vcpuCount)));
  }

  begin(now: Ns): void {
    for (const witness of this.witnesses) witness.sinceNs = now;
  }

  schedOut(vcpu: number, state: OutState, now: Ns): void {
    const witness = this.witnesses[vcpu];
    if (!witness.inGuest) this.#violation(`vCPU ${vcpu} left a pCPU that it did not have`);
    witness.book(now);
    witness.inGuest = false;
    witness.state = state;
    this.#occupants.delete(witness.pcpu);
  }

  woken(vcpu: number, now: Ns): void {
    const witness = this.witnesses[vcpu];
    if (witness.inGuest || witness.state === OutState.Wait) this.#violation(`vCPU ${vcpu} was woken while awake`);
    witness.book(now);
    witness.state = OutState.Wait;
  }

  suspended(vcpu: number, now: Ns): void {
    const witness = this.witnesses[vcpu];
    if (witness.inGuest || witness.state !== OutState.Wait) this.#violation(`vCPU ${vcpu} was suspended in no wait`);
    witness.book(now);
    witness.state = OutState.Offline;
  }

  schedIn(vcpu: number, pcpu: number, now: Ns): void {
    const witness = this.witnesses[vcpu];
    const occupant = this.#occupants.get(pcpu);
    if (this.#config.exclusivePcpus && occupant !== undefined) {
      this.#violation(`vCPU ${vcpu} was granted pCPU ${pcpu} while vCPU ${occupant} had it`);
    }
    if (witness.inGuest) this.#violation(`vCPU ${vcpu} was granted a second pCPU`);
    else if (witness.state !== OutState.Wait)
      this.#violation(`vCPU ${vcpu} was granted a pCPU that it did not wait for`);
    witness.book(now);
    witness.inGuest = true;
    witness.pcpu = pcpu;
    this.#occupants.set(pcpu, vcpu);
  }

  /**
   * The linux host: run_delay that the driver read, which was booked as something else so far. First of the state that the vCPU
   * is in, then of the others, as far as there is any: run, halt, offline.
   */
  waited(vcpu: number, ns: Ns, now: Ns): void {
    const witness = this.witnesses[vcpu];
    witness.book(Math.max(now, witness.sinceNs));
    let leftNs = ns;
    if (!witness.inGuest && witness.state === OutState.Halt) leftNs = witness.take("haltNs", leftNs);
    if (!witness.inGuest && witness.state === OutState.Offline) leftNs = witness.take("offlineNs", leftNs);
    for (const kind of ["runNs", "haltNs", "offlineNs"] as const) leftNs = witness.take(kind, leftNs);
    witness.waitNs += ns - leftNs;
  }

  registered(vcpu: number, base: number): void {
    const { log } = this.witnesses[vcpu];
    log.start(base, Atomics.load(this.#ram, base), this.#publishableNs(vcpu));
  }

  unregistered(vcpu: number): void {
    this.witnesses[vcpu].log.base = -1;
  }

  published(vcpu: number, version: number): void {
    this.witnesses[vcpu].log.add(version, this.#publishableNs(vcpu), this.#offersSteal);
  }

  moved(offersSteal: boolean): void {
    this.#offersSteal = offersSteal;
  }

  close(now: Ns): void {
    for (const witness of this.witnesses) witness.book(now);
  }

  /** What should be published at this instant, by the checker's own figures. */
  #publishableNs(vcpu: number): Ns {
    const { waitNs, haltNs, offlineNs } = this.witnesses[vcpu];
    return this.#config.countsHalt ? waitNs + haltNs + offlineNs : waitNs;
  }

  #violation(what: string): void {
    if (this.violations.length < 10) this.violations.push(what);
  }
}
