import type { Ns } from "../shared/units.js";
import { OutState, type SchedNotifier } from "./sched-notifier.js";
import { WaitHistograms } from "./wait-histogram.js";

/** What a vCPU is doing: in the guest, or out of it in one of three ways. */
export const LedgerState = { Run: 0, ...OutState } as const;
export type LedgerState = (typeof LedgerState)[keyof typeof LedgerState];

/** One vCPU's figures stand side by side, in one line of the cache: a total for each LedgerState comes first. */
const CELLS = 8;
const SINCE = 4;
const STATE = 5;
const ENTRIES = 6;
const LAST_PCPU = 7;

/** What a ledger is written in. */
interface Books {
  readonly cells: Float64Array;
  readonly migrations: Uint32Array;
  readonly histograms: WaitHistograms;
}

/** By present state: in which states a wait that is seen late was, the likeliest first. */
const WAITED_IN: Readonly<Record<LedgerState, readonly LedgerState[]>> = {
  [LedgerState.Run]: [LedgerState.Run, LedgerState.Halt, LedgerState.Offline],
  [LedgerState.Wait]: [LedgerState.Run, LedgerState.Halt, LedgerState.Offline],
  [LedgerState.Halt]: [LedgerState.Halt, LedgerState.Run, LedgerState.Offline],
  [LedgerState.Offline]: [LedgerState.Offline, LedgerState.Run, LedgerState.Halt],
};

/** One vCPU's time, split without a rest: run + wait + halt + offline = elapsed, exactly, at every instant. */
export class VcpuLedger {
  readonly #cells: Float64Array;
  readonly #migrations: Uint32Array;
  readonly #histograms: WaitHistograms;
  #vcpu = 0;
  #base = 0;

  /** @param books of all vCPUs; this shows the first one's, until another is selected */
  constructor({ cells, migrations, histograms }: Books) {
    this.#cells = cells;
    this.#migrations = migrations;
    this.#histograms = histograms;
  }

  /** Shows another vCPU's time from now on. */
  select(vcpu: number): this {
    this.#vcpu = vcpu;
    this.#base = vcpu * CELLS;
    return this;
  }

  begin(now: Ns): void {
    this.#cells[this.#base + SINCE] = now;
  }

  get state(): LedgerState {
    return this.#cells[this.#base + STATE] as LedgerState;
  }
  set state(state: LedgerState) {
    this.#cells[this.#base + STATE] = state;
  }
  get entries(): number {
    return this.#cells[this.#base + ENTRIES];
  }
  set entries(entries: number) {
    this.#cells[this.#base + ENTRIES] = entries;
  }
  get migrations(): number {
    return this.#migrations[this.#vcpu];
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
    const cells = this.#cells;
    const base = this.#base;
    const before = cells[base + STATE];
    const spanNs = now - cells[base + SINCE];
    if (before === LedgerState.Wait && spanNs > 0) this.#histograms.record(this.#vcpu, spanNs);
    cells[base + before] += spanNs;
    cells[base + SINCE] = now;
    cells[base + STATE] = state;
  }

  /**
   * Part of the time in the present state was a wait after all: so says who could see it, later. What is more than there was
   * of it, of a vCPU that has only just halted or entered, was in the state before: of each is taken what is there.
   */
  bookWait(ns: Ns, now: Ns): void {
    const cells = this.#cells;
    const base = this.#base;
    this.changeTo(this.state, Math.max(now, this.sinceNs));
    this.#histograms.record(this.#vcpu, ns);
    let leftNs = ns;
    for (const state of WAITED_IN[this.state]) {
      const takenNs = Math.min(leftNs, cells[base + state]);
      cells[base + state] -= takenNs;
      leftNs -= takenNs;
    }
    cells[base + LedgerState.Wait] += ns - leftNs;
  }

  /** A total as it stands at an instant, the time since the last change included. */
  totalNs(state: LedgerState, now: Ns): Ns {
    return this.#cells[this.#base + state] + (this.state === state ? now - this.sinceNs : 0);
  }

  enterOn(pcpu: number, now: Ns): void {
    this.changeTo(LedgerState.Run, now);
    const cells = this.#cells;
    const base = this.#base;
    cells[base + ENTRIES]++;
    const lastPcpu = cells[base + LAST_PCPU];
    if (lastPcpu >= 0 && lastPcpu !== pcpu) this.#migrations[this.#vcpu]++;
    cells[base + LAST_PCPU] = pcpu;
  }
}

/** The host's truth about every vCPU. It never passes through a page. */
export class Ledger implements SchedNotifier {
  readonly #books: Books;
  readonly #vcpuCount: number;
  /** Whoever is selected: an object for each of 100,000 vCPUs would cost a switch more than its books do. */
  readonly #selected: VcpuLedger;
  #vcpus: readonly VcpuLedger[] | null = null;

  constructor(vcpuCount: number) {
    const cells = new Float64Array(vcpuCount * CELLS);
    for (let base = 0; base < cells.length; base += CELLS) {
      cells[base + STATE] = LedgerState.Wait;
      cells[base + LAST_PCPU] = -1;
    }
    const migrations = new Uint32Array(vcpuCount);
    this.#books = { cells, migrations, histograms: new WaitHistograms(vcpuCount) };
    this.#vcpuCount = vcpuCount;
    this.#selected = new VcpuLedger(this.#books);
  }

  /** Each vCPU's time, for whoever looks at all of them. */
  get vcpus(): readonly VcpuLedger[] {
    this.#vcpus ??= Array.from({ length: this.#vcpuCount }, (_, vcpu) => new VcpuLedger(this.#books).select(vcpu));
    return this.#vcpus;
  }

  /** One vCPU's time, until this is asked for another. */
  of(vcpu: number): VcpuLedger {
    return this.#selected.select(vcpu);
  }

  /** Time counts from here: every vCPU waits for a pCPU. */
  begin(now: Ns): void {
    for (let vcpu = 0; vcpu < this.#vcpuCount; vcpu++) this.of(vcpu).begin(now);
  }

  schedOut(vcpu: number, state: OutState, now: Ns): void {
    this.of(vcpu).changeTo(state, now);
  }

  woken(vcpu: number, now: Ns): void {
    this.of(vcpu).changeTo(LedgerState.Wait, now);
  }

  suspended(vcpu: number, now: Ns): void {
    this.of(vcpu).changeTo(LedgerState.Offline, now);
  }

  schedIn(vcpu: number, pcpu: number, now: Ns): void {
    this.of(vcpu).enterOn(pcpu, now);
  }

  /** Ends the run: books everything up to now, waits in progress included. */
  close(now: Ns): void {
    for (let vcpu = 0; vcpu < this.#vcpuCount; vcpu++) {
      const account = this.of(vcpu);
      account.changeTo(account.state, now);
    }
  }
}
