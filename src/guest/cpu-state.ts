import type { Ns } from "../shared/units.js";
import { RareCpuState } from "./rare-cpu-state.js";

/** Four cache lines. */
const NUMBERS_PER_CPU = 32;

/** As pageBase: no page is registered. */
export const NO_PAGE = -1;

/**
 * The guest CPUs of one thread, side by side: a row of numbers for each, which this object shows of the selected one. The
 * objects of guest/ keep nothing themselves, so that CPUs of one configuration can share them. A machine of 10,000 CPUs with
 * objects for each would wait for memory most of the time.
 *
 * The accessors are as short as can be: V8 inlines what has less than 27 bytes of code in any case, and more while its budget
 * lasts. That is why their places are written out, one for each pair.
 */
export class CpuState {
  /** The selected CPU. */
  cpu: number;
  readonly #firstCpu: number;
  readonly #rare: readonly RareCpuState[];
  // Not private by #: that makes each access longer.
  private readonly numbers: Float64Array;
  /** Where the row of the selected CPU begins. */
  private base = 0;

  /** @param firstCpu the number of the first of the CPUs, which is selected then @param sameAs another look at them */
  constructor(cpuCount = 1, firstCpu = 0, sameAs: CpuState | null = null) {
    this.numbers = sameAs?.numbers ?? new Float64Array(cpuCount * NUMBERS_PER_CPU);
    this.#rare = sameAs === null ? Array.from({ length: cpuCount }, () => new RareCpuState()) : sameAs.#rare;
    this.cpu = firstCpu;
    this.#firstCpu = firstCpu;
    if (sameAs === null) this.#clear(cpuCount);
  }

  select(cpu: number): void {
    this.cpu = cpu;
    this.base = (cpu - this.#firstCpu) * NUMBERS_PER_CPU;
  }

  /** The same CPUs, with a selection of its own. */
  viewOf(cpu: number): CpuState {
    const view = new CpuState(0, this.#firstCpu, this);
    view.select(cpu);
    return view;
  }

  /** What is not looked at in most events. */
  get rare(): RareCpuState {
    return this.#rare[this.cpu - this.#firstCpu];
  }

  /** The instant it was told last. */
  get toldAt(): Ns {
    return this.numbers[this.base];
  }
  set toldAt(value: Ns) {
    this.numbers[this.base] = value;
  }

  /** Its task is halted. */
  get idle(): boolean {
    return this.numbers[this.base + 1] > 0;
  }
  set idle(value: boolean) {
    this.numbers[this.base + 1] = value ? 1 : 0;
  }

  get offline(): boolean {
    return this.numbers[this.base + 2] > 0;
  }
  set offline(value: boolean) {
    this.numbers[this.base + 2] = value ? 1 : 0;
  }

  /** The next tick deadline. */
  get nextTick(): Ns {
    return this.numbers[this.base + 3];
  }
  set nextTick(value: Ns) {
    this.numbers[this.base + 3] = value;
  }

  /** When the watchdog task is woken next. */
  get nextSample(): Ns {
    return this.numbers[this.base + 4];
  }
  set nextSample(value: Ns) {
    this.numbers[this.base + 4] = value;
  }

  /** When it is to go offline next. */
  get offlineAt(): Ns {
    return this.numbers[this.base + 5];
  }
  set offlineAt(value: Ns) {
    this.numbers[this.base + 5] = value;
  }

  /** The task's state, in its own words: see workload/task.ts. */
  get taskRemainingNs(): Ns {
    return this.numbers[this.base + 6];
  }
  set taskRemainingNs(value: Ns) {
    this.numbers[this.base + 6] = value;
  }

  get taskMode(): number {
    return this.numbers[this.base + 7];
  }
  set taskMode(value: number) {
    this.numbers[this.base + 7] = value;
  }

  get taskHalted(): boolean {
    return this.numbers[this.base + 8] > 0;
  }
  set taskHalted(value: boolean) {
    this.numbers[this.base + 8] = value ? 1 : 0;
  }

  get taskWakeAt(): Ns {
    return this.numbers[this.base + 9];
  }
  set taskWakeAt(value: Ns) {
    this.numbers[this.base + 9] = value;
  }

  get taskStartedAt(): Ns {
    return this.numbers[this.base + 10];
  }
  set taskStartedAt(value: Ns) {
    this.numbers[this.base + 10] = value;
  }

  get ticks(): number {
    return this.numbers[this.base + 11];
  }
  set ticks(value: number) {
    this.numbers[this.base + 11] = value;
  }

  get lostTicks(): number {
    return this.numbers[this.base + 12];
  }
  set lostTicks(value: number) {
    this.numbers[this.base + 12] = value;
  }

  /** Its line of /proc/stat. */
  get userNs(): Ns {
    return this.numbers[this.base + 13];
  }
  set userNs(value: Ns) {
    this.numbers[this.base + 13] = value;
  }

  get systemNs(): Ns {
    return this.numbers[this.base + 14];
  }
  set systemNs(value: Ns) {
    this.numbers[this.base + 14] = value;
  }

  get idleNs(): Ns {
    return this.numbers[this.base + 15];
  }
  set idleNs(value: Ns) {
    this.numbers[this.base + 15] = value;
  }

  get stealNs(): Ns {
    return this.numbers[this.base + 16];
  }
  set stealNs(value: Ns) {
    this.numbers[this.base + 16] = value;
  }

  /** Time out of guest that was taken from the page and not accounted, because the CPU was idle. */
  get stealDroppedIdleNs(): Ns {
    return this.numbers[this.base + 27];
  }
  set stealDroppedIdleNs(value: Ns) {
    this.numbers[this.base + 27] = value;
  }

  /** Index of the version word of its page in guest RAM; NO_PAGE while it has none. */
  get pageBase(): number {
    return this.numbers[this.base + 17];
  }
  set pageBase(value: number) {
    this.numbers[this.base + 17] = value;
  }

  /** Its page is looked at for steal. */
  get stealEnabled(): boolean {
    return this.numbers[this.base + 18] > 0;
  }
  set stealEnabled(value: boolean) {
    this.numbers[this.base + 18] = value ? 1 : 0;
  }

  /** The last read carried the steal flag. */
  get stealActive(): boolean {
    return this.numbers[this.base + 19] > 0;
  }
  set stealActive(value: boolean) {
    this.numbers[this.base + 19] = value ? 1 : 0;
  }

  /** The last value read: two halves. */
  get stealHigh(): number {
    return this.numbers[this.base + 20];
  }
  set stealHigh(value: number) {
    this.numbers[this.base + 20] = value;
  }

  get stealLow(): number {
    return this.numbers[this.base + 21];
  }
  set stealLow(value: number) {
    this.numbers[this.base + 21] = value;
  }

  /** The version of the last read that carried the flag; 0 while there was none. */
  get stealVersion(): number {
    return this.numbers[this.base + 22];
  }
  set stealVersion(value: number) {
    this.numbers[this.base + 22] = value;
  }

  /** All steal that was handed out. */
  get stealTakenNs(): Ns {
    return this.numbers[this.base + 23];
  }
  set stealTakenNs(value: Ns) {
    this.numbers[this.base + 23] = value;
  }

  get consistentReads(): number {
    return this.numbers[this.base + 24];
  }
  set consistentReads(value: number) {
    this.numbers[this.base + 24] = value;
  }

  get readsSinceAudit(): number {
    return this.numbers[this.base + 25];
  }
  set readsSinceAudit(value: number) {
    this.numbers[this.base + 25] = value;
  }

  /** The last reading of its clock. */
  get clockNs(): Ns {
    return this.numbers[this.base + 26];
  }
  set clockNs(value: Ns) {
    this.numbers[this.base + 26] = value;
  }

  /** A reading found that the host had stopped the guest. */
  get guestStopped(): boolean {
    return this.numbers[this.base + 28] > 0;
  }
  set guestStopped(value: boolean) {
    this.numbers[this.base + 28] = value ? 1 : 0;
  }

  /** When the watchdog's stamp was touched. */
  get touchedAt(): Ns {
    return this.numbers[this.base + 29];
  }
  set touchedAt(value: Ns) {
    this.numbers[this.base + 29] = value;
  }

  get stolenAtTouchNs(): Ns {
    return this.numbers[this.base + 30];
  }
  set stolenAtTouchNs(value: Ns) {
    this.numbers[this.base + 30] = value;
  }

  /** What is known of the stall that goes on: see softlockup-watchdog.ts. */
  get stall(): number {
    return this.numbers[this.base + 31];
  }
  set stall(value: number) {
    this.numbers[this.base + 31] = value;
  }

  /** Before they boot: nothing falls due, and there is no page. */
  #clear(cpuCount: number): void {
    for (let cpu = this.#firstCpu + cpuCount - 1; cpu >= this.#firstCpu; cpu--) {
      this.select(cpu);
      this.nextTick = Number.POSITIVE_INFINITY;
      this.nextSample = Number.POSITIVE_INFINITY;
      this.offlineAt = Number.POSITIVE_INFINITY;
      this.taskWakeAt = Number.POSITIVE_INFINITY;
      this.pageBase = NO_PAGE;
    }
  }
}
