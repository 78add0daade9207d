import type { Ns } from "../shared/units.js";
import { OutState, type SchedNotifier } from "./sched-notifier.js";
import { WaitHistogram } from "./wait-histogram.js";

/** What a vCPU is doing: in the guest, or out of it in one of three ways. */
export const LedgerState = { Run: 0, ...OutState } as const;
export type LedgerState = (typeof LedgerState)[keyof typeof LedgerState];

/** One vCPU's time, split without a rest: run + wait + halt + offline = elapsed, exactly, at every instant. */
export class VcpuLedger {
  state: LedgerState = LedgerState.Wait;
  sinceNs: Ns = 0;
  readonly #totalsNs: [number, number, number, number] = [0, 0, 0, 0];
  readonly waits = new WaitHistogram();
  entries = 0;
  migrations = 0;
  #lastPcpu = -1;

  begin(now: Ns): void {
    this.sinceNs = now;
  }

  get runNs(): Ns {
    return this.#totalsNs[LedgerState.Run];
  }
  get waitNs(): Ns {
    return this.#totalsNs[LedgerState.Wait];
  }
  get haltNs(): Ns {
    return this.#totalsNs[LedgerState.Halt];
  }
  get offlineNs(): Ns {
    return this.#totalsNs[LedgerState.Offline];
  }
  /** All time not in the guest: what the RFC exports. */
  get outOfGuestNs(): Ns {
    return this.waitNs + this.haltNs + this.offlineNs;
  }

  /** Books the time since the last change, and goes on in another state. */
  changeTo(state: LedgerState, now: Ns): void {
    const spanNs = now - this.sinceNs;
    if (this.state === LedgerState.Wait && spanNs > 0) this.waits.record(spanNs);
    this.#totalsNs[this.state] += spanNs;
    this.state = state;
    this.sinceNs = now;
  }

  /** Part of the time in the present state was a wait after all: so says who could see it, later. */
  bookWait(ns: Ns, now: Ns): void {
    this.changeTo(this.state, Math.max(now, this.sinceNs));
    this.waits.record(ns);
    this.#totalsNs[LedgerState.Wait] += ns;
    this.#totalsNs[this.state] -= ns;
  }

  /** A total as it stands at an instant, the time since the last change included. */
  totalNs(state: LedgerState, now: Ns): Ns {
    return this.#totalsNs[state] + (this.state === state ? now - this.sinceNs : 0);
  }

  enterOn(pcpu: number, now: Ns): void {
    this.changeTo(LedgerState.Run, now);
    this.entries++;
    if (this.#lastPcpu >= 0 && this.#lastPcpu !== pcpu) this.migrations++;
    this.#lastPcpu = pcpu;
  }
}

/** The host's truth about every vCPU. It never passes through a page. */
export class Ledger implements SchedNotifier {
  readonly vcpus: VcpuLedger[];

  constructor(vcpuCount: number) {
    this.vcpus = Array.from({ length: vcpuCount }, () => new VcpuLedger());
  }

  /** Time counts from here: every vCPU waits for a pCPU. */
  begin(now: Ns): void {
    for (const vcpu of this.vcpus) vcpu.begin(now);
  }

  schedOut(vcpu: number, state: OutState, now: Ns): void {
    this.vcpus[vcpu].changeTo(state, now);
  }

  woken(vcpu: number, now: Ns): void {
    this.vcpus[vcpu].changeTo(LedgerState.Wait, now);
  }

  suspended(vcpu: number, now: Ns): void {
    this.vcpus[vcpu].changeTo(LedgerState.Offline, now);
  }

  schedIn(vcpu: number, pcpu: number, now: Ns): void {
    this.vcpus[vcpu].enterOn(pcpu, now);
  }

  /** Ends the run: books everything up to now, waits in progress included. */
  close(now: Ns): void {
    for (const vcpu of this.vcpus) vcpu.changeTo(vcpu.state, now);
  }
}
