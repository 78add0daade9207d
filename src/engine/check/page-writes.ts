import type { GuestCpu } from "../../guest/guest-cpu.js";
import type { OutState } from "../../host/sched-notifier.js";
import {
  FLAG_STEAL_MS,
  FLAG_STEAL_NS,
  GUEST_STOPPED_MASK,
  PAGE_WORDS_NS,
  packShiftAndFlags,
  SHIFT_AND_FLAGS_WORD,
  STEAL_MS_WORD,
  STEAL_NS_WORD,
  SYSTEM_TIME_WORD,
  TSC_TIMESTAMP_WORD,
  TSC_TO_SYSTEM_MUL_WORD,
  tscShiftOf,
} from "../../shared/pvclock-page.js";
import { type Ns, TWO_POW_32 } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import { overrunNsOf } from "./overrun.js";
import { PageTimes } from "./page-times.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";
import { TscReckoning } from "./tsc-reckoning.js";

/** What was seen of one vCPU's page. */
interface Page {
  base: number;
  version: number;
  /** The page as its guest got it back. */
  readonly returned: Int32Array;
  returnedBase: number;
  /** It has been entered and its page must be written before it runs. */
  owed: boolean;
  /** By its update policy it may be written now. */
  mayWrite: boolean;
  inGuest: boolean;
  /** Since when its page is as it is, or since when it runs if that is later. */
  freshAt: Ns;
}

/**
 * Every write of a page is one that the update policy asks for, at the instant it asks for it; and it holds what was true then: the
 * steal to the ns by the notifications, the instant, the TSC; or these two as they were when its time was written last, if it is to be kept. A page that was given back is not written any more.
 */
export class PageWrites extends Property {
  readonly name = "every page write is due, whole and true";
  readonly #ram: Int32Array;
  readonly #scenario: Scenario;
  readonly #witnesses: readonly VcpuWitness[];
  readonly #pages: readonly Page[];
  readonly #tsc: TscReckoning;
  readonly #times: PageTimes;
  #offersSteal: boolean;
  /** A rate that was found right, until the machine is moved. */
  #rightMultiplier = 0;
  #rightShift = 0;

  constructor(scenario: Scenario, ram: Int32Array, witnesses: readonly VcpuWitness[]) {
    super();
    this.#ram = ram;
    this.#scenario = scenario;
    this.#witnesses = witnesses;
    this.#tsc = new TscReckoning(scenario);
    this.#times = new PageTimes(scenario);
    this.#offersSteal = scenario.stealFeature;
    this.#pages = witnesses.map(() => ({
      base: -1,
      version: 0,
      returned: new Int32Array(PAGE_WORDS_NS),
      returnedBase: -1,
      owed: false,
      mayWrite: false,
      inGuest: false,
      freshAt: scenario.startAtNs,
    }));
  }

  override registered(vcpu: number, base: number): void {
    const page = this.#pages[vcpu];
    this.#checkReturned(vcpu, page);
    page.base = base;
    page.version = this.#word(base);
    page.returnedBase = -1;
    page.owed = true;
    page.mayWrite = true;
    this.#times.registered(vcpu);
  }

  override unregistered(vcpu: number): void {
    const page = this.#pages[vcpu];
    // A guest whose page was refused gives it back all the same.
    if (page.base < 0) return;
    page.returnedBase = page.base;
    for (let word = 0; word < PAGE_WORDS_NS; word++) page.returned[word] = this.#word(page.base + word);
    page.base = -1;
    page.owed = false;
    this.#times.unregistered(vcpu);
  }

  override schedIn(vcpu: number, pcpu: number, now: Ns): void {
    const page = this.#pages[vcpu];
    const stays = this.#times.schedIn(vcpu, pcpu);
    const due = this.#scenario.update.kind !== "pcpu-change" || !stays;
    page.inGuest = true;
    page.freshAt = now;
    page.owed = due && page.base >= 0;
    page.mayWrite = due;
  }

  override schedOut(vcpu: number, _state: OutState, now: Ns): void {
    const page = this.#pages[vcpu];
    this.#checkFresh(vcpu, page, now);
    page.inGuest = false;
    this.#checkReturned(vcpu, page);
  }

  override told(vcpu: number, _guest: GuestCpu, now: Ns): void {
    const page = this.#pages[vcpu];
    if (page.owed) this.report(`vCPU ${vcpu}: its page was not written when it was entered, before ${now}`);
    page.owed = false;
    this.#checkFresh(vcpu, page, now);
  }

  override moved(offersSteal: boolean, now: Ns): void {
    this.#offersSteal = offersSteal;
    this.#tsc.moved(now);
    this.#times.moved(offersSteal);
    this.#rightMultiplier = 0;
  }

  override published(vcpu: number, version: number, stealNs: Ns, now: Ns): void {
    this.exercised++;
    const page = this.#pages[vcpu];
    const wrong = (what: string) => this.report(`vCPU ${vcpu}: page written at ${now}: ${what}`);
    if (page.base < 0) {
      wrong("it has none");
      return;
    }
    if (!page.mayWrite && !(this.#scenario.update.kind === "periodic" && page.inGuest)) wrong("nothing asked for it");
    page.owed = false;
    page.mayWrite = false;
    page.freshAt = now;
    const expected = (page.version + ((page.version & 1) === 0 ? 2 : 3)) | 0;
    if (version !== expected || this.#word(page.base) !== expected) wrong(`version ${version}, expected ${expected}`);
    page.version = version;
    this.#checkSteal(page, stealNs, this.#publishableNs(vcpu), wrong);
    this.#checkClock(page, this.#times.published(vcpu, now), wrong);
  }

  override finished(): void {
    for (const [vcpu, page] of this.#pages.entries()) this.#checkReturned(vcpu, page);
  }

  #word(index: number): number {
    return Atomics.load(this.#ram, index);
  }

  /** By the notifications alone. Pages are registered at boot: the count is from the start of the run. */
  #publishableNs(vcpu: number): Ns {
    const { waitNs, haltNs, offlineNs } = this.#witnesses[vcpu];
    const { measure, startAtNs } = this.#scenario;
    return startAtNs + (measure === "wait" ? waitNs : waitNs + haltNs + offlineNs);
  }

  #checkSteal({ base }: Page, stealNs: Ns, expectedNs: Ns, wrong: (what: string) => void): void {
    if (stealNs !== expectedNs) wrong(`steal of ${stealNs} ns, by the notifications it is ${expectedNs}`);
    const expectedMs = this.#offersSteal ? Number((BigInt(expectedNs) / 1_000_000n) & 0xffff_ffffn) : 0;
    const stealMs = this.#word(base + STEAL_MS_WORD) >>> 0;
    if (stealMs !== expectedMs) wrong(`it says ${stealMs} ms, by the notifications it is ${expectedMs}`);
    if (!this.#offersSteal || this.#scenario.stealUnit !== "ns") return;
    const pageNs = this.#double(base + STEAL_NS_WORD);
    if (pageNs !== BigInt(expectedNs)) wrong(`it says ${pageNs} ns, by the notifications it is ${expectedNs}`);
  }

  #checkClock({ base }: Page, writtenAt: Ns, wrong: (what: string) => void): void {
    const systemTime = this.#double(base + SYSTEM_TIME_WORD);
    if (systemTime !== BigInt(writtenAt)) wrong(`its system time is ${systemTime}`);
    const stamp = this.#double(base + TSC_TIMESTAMP_WORD);
    const cycles = this.#tsc.cyclesAt(writtenAt);
    if (stamp !== cycles) wrong(`its TSC stamp is ${stamp}, the TSC stood at ${cycles}`);
    const packed = this.#word(base + SHIFT_AND_FLAGS_WORD) & ~GUEST_STOPPED_MASK;
    const shift = tscShiftOf(packed);
    const stealFlags = FLAG_STEAL_MS | (this.#scenario.stealUnit === "ns" ? FLAG_STEAL_NS : 0);
    if (packed !== packShiftAndFlags(shift, this.#offersSteal ? stealFlags : 0)) wrong("its flags are wrong");
    this.#checkRate(this.#word(base + TSC_TO_SYSTEM_MUL_WORD) >>> 0, shift, wrong);
  }

  #checkRate(multiplier: number, shift: number, wrong: (what: string) => void): void {
    if (multiplier === this.#rightMultiplier && shift === this.#rightShift) return;
    if (this.#tsc.isRate(multiplier, shift)) {
      this.#rightMultiplier = multiplier;
      this.#rightShift = shift;
    } else {
      wrong(`its multiplier ${multiplier} and shift ${shift} are not the TSC's rate`);
    }
  }

  /** A running vCPU's page is refreshed in each period; once the machine stops, whoever is late in leaving gets no more. */
  #checkFresh(vcpu: number, { base, inGuest, freshAt }: Page, now: Ns): void {
    const { update } = this.#scenario;
    if (update.kind !== "periodic" || base < 0 || !inGuest) return;
    const mostNs = update.periodNs + overrunNsOf(this.#scenario);
    if (now - freshAt <= mostNs) return;
    this.report(`vCPU ${vcpu}: its page is ${now - freshAt} ns old at ${now}, its period is ${update.periodNs}`);
  }

  #checkReturned(vcpu: number, { returned, returnedBase }: Page): void {
    if (returnedBase < 0) return;
    const written = returned.findIndex((word, index) => word !== this.#word(returnedBase + index));
    if (written >= 0) this.report(`vCPU ${vcpu}: word ${written} of the page that it gave back was written`);
  }

  #double(index: number): bigint {
    return BigInt(this.#word(index) >>> 0) + BigInt(this.#word(index + 1) >>> 0) * BigInt(TWO_POW_32);
  }
}
