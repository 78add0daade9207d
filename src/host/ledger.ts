import type { Ns } from "../shared/units.js";
import { OutState, type SchedNotifier } from "./sched-notifier.js";
import { WaitHistograms } from "./wait-histogram.js";

/** What a vCPU is doing: in the guest, or out of it in one of three ways. */
export const LedgerState = { Run: 0, ...OutState } as const;
export type LedgerState = (typeof LedgerState)[keyof typeof LedgerState];

/** One vCPU's figures stand side by side: a total for each LedgerState, and since when it is in the present one. */
const CELLS = 8;
const SINCE = 4;

/** One vCPU's time, split without a rest: run + wait + halt + offline = elapsed, exactly, at every instant. */
export class VcpuLedger {
  state: LedgerState = LedgerState.Wait;
  readonly #cells: Float64Array;
  readonly #base: number;
  readonly #histograms: WaitHistograms;
  readonly #vcpu: number;
  entries = 0;
  migrations = 0;
  #lastPcpu = -1;

  /** @param cells of all vCPUs: typed and in one place, so that to book is to touch one line of the cache */
  constructor(cells: Float64Array, histograms: WaitHistograms, vcpu: number) {
    this.#cells = cells;
    this.#base = vcpu * CELLS;
    this.#histograms = histograms;
    this.#vcpu = vcpu;
  }

  begin(now: Ns): void {
    this.#cells[this.#base + SINCE] = now;
  }

  /** Since when it is in its present state. */
  get sinceNs(): Ns {
    return this.#cells[this.#base + SINCE];
  }
  get runNs(): Ns {
    return this.#cells[this.#base + LedgerState.Run];
  }
  get waitNs(): Ns {
    return this.#cells[this.#base + LedgerState.Wait];
  }
  get haltNs(): Ns {
    return this.#cells[this.#base + LedgerState.Halt];
  }
  get offlineNs(): Ns {
    return this.#cells[this.#base + LedgerState.Offline];
  }
  get maxWaitNs(): Ns {
    return this.#histograms.maxNs(this.#vcpu);
  }
  /** All time not in the guest: what the RFC exports. */
  get outOfGuestNs(): Ns {
    return this.waitNs + this.haltNs + this.offlineNs;
  }

  /** @param quantile 0 to 1, of all its waits */
  waitQuantileNs(quantile: number): Ns {
    return this.#histograms.quantileNs(this.#vcpu, quantile);
  }

  /** Books the time since the last change, and goes on in another state. */
  changeTo(state: LedgerState, now: Ns): void {
    const spanNs = now - this.sinceNs;
    if (this.state === LedgerState.Wait && spanNs > 0) this.#histograms.record(this.#vcpu, spanNs);
    this.#cells[this.#base + this.state] += spanNs;
    this.#cells[this.#base + SINCE] = now;
    this.state = state;
  }

  /** Part of the time in the present state was a wait after all: so says who could see it, later. */
  bookWait(ns: Ns, now: Ns): void {
    this.changeTo(this.state, Math.max(now, this.sinceNs));
    this.#histograms.record(this.#vcpu, ns);
    this.#cells[this.#base + LedgerState.Wait] += ns;
    this.#cells[this.#base + this.state] -= ns;
  }

  /** A total as it stands at an instant, the time since the last change included. */
  totalNs(state: LedgerState, now: Ns): Ns {
    return this.#cells[this.#base + state] + (this.state === state ? now - this.sinceNs : 0);
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
    const cells = new Float64Array(vcpuCount * CELLS);
    const histograms = new WaitHistograms(vcpuCount);
    this.vcpus = Array.from({ length: vcpuCount }, (_, vcpu) => new VcpuLedger(cells, histograms, vcpu));
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
