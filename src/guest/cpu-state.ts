import type { Ns } from "../shared/units.js";
import { RareCpuState } from "./rare-cpu-state.js";

const TOLD_AT = 0;
const IDLE = 1;
const OFFLINE = 2;
const NEXT_TICK = 3;
const NEXT_SAMPLE = 4;
const OFFLINE_AT = 5;
const TASK_REMAINING_NS = 6;
const TASK_MODE = 7;
const TASK_HALTED = 8;
const TASK_WAKE_AT = 9;
const TASK_STARTED_AT = 10;
const TICKS = 11;
const LOST_TICKS = 12;
const USER_NS = 13;
const SYSTEM_NS = 14;
const IDLE_NS = 15;
const STEAL_NS = 16;
const PAGE_BASE = 17;
const STEAL_ENABLED = 18;
const STEAL_ACTIVE = 19;
const STEAL_HIGH = 20;
const STEAL_LOW = 21;
const STEAL_VERSION = 22;
const STEAL_TAKEN_NS = 23;
const CONSISTENT_READS = 24;
const READS_SINCE_AUDIT = 25;
const CLOCK_NS = 26;
const STEAL_DROPPED_IDLE_NS = 27;
const GUEST_STOPPED = 28;
const TOUCHED_AT = 29;
const STOLEN_AT_TOUCH_NS = 30;
const STALL = 31;

/** Four cache lines. */
const NUMBERS_PER_CPU = 32;

/** As pageBase: no page is registered. */
export const NO_PAGE = -1;

/**
 * The guest CPUs of one thread, side by side: a row of numbers for each, which this object shows of the selected one. The
 * objects of guest/ keep nothing themselves, so that CPUs of one configuration can share them. A machine of 10,000 CPUs with
 * objects for each would wait for memory most of the time.
 *
 * The accessors are as short as can be: V8 inlines those in any case, larger ones while its budget lasts.
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
    this.numbers = sameAs?.numbers ?? numbersBeforeBoot(cpuCount);
    this.#rare = sameAs === null ? Array.from({ length: cpuCount }, () => new RareCpuState()) : sameAs.#rare;
    this.cpu = firstCpu;
    this.#firstCpu = firstCpu;
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
    return this.numbers[this.base + TOLD_AT];
  }
  set toldAt(value: Ns) {
    this.numbers[this.base + TOLD_AT] = value;
  }

  /** Its task is halted. */
  get idle(): boolean {
    return this.numbers[this.base + IDLE] > 0;
  }
  set idle(value: boolean) {
    this.numbers[this.base + IDLE] = value ? 1 : 0;
  }

  get offline(): boolean {
    return this.numbers[this.base + OFFLINE] > 0;
  }
  set offline(value: boolean) {
    this.numbers[this.base + OFFLINE] = value ? 1 : 0;
  }

  /** The next tick deadline. */
  get nextTick(): Ns {
    return this.numbers[this.base + NEXT_TICK];
  }
  set nextTick(value: Ns) {
    this.numbers[this.base + NEXT_TICK] = value;
  }

  /** When the watchdog task is woken next. */
  get nextSample(): Ns {
    return this.numbers[this.base + NEXT_SAMPLE];
  }
  set nextSample(value: Ns) {
    this.numbers[this.base + NEXT_SAMPLE] = value;
  }

  /** When it is to go offline next. */
  get offlineAt(): Ns {
    return this.numbers[this.base + OFFLINE_AT];
  }
  set offlineAt(value: Ns) {
    this.numbers[this.base + OFFLINE_AT] = value;
  }

  /** The task's state, in its own words: see workload/task.ts. */
  get taskRemainingNs(): Ns {
    return this.numbers[this.base + TASK_REMAINING_NS];
  }
  set taskRemainingNs(value: Ns) {
    this.numbers[this.base + TASK_REMAINING_NS] = value;
  }

  get taskMode(): number {
    return this.numbers[this.base + TASK_MODE];
  }
  set taskMode(value: number) {
    this.numbers[this.base + TASK_MODE] = value;
  }

  get taskHalted(): boolean {
    return this.numbers[this.base + TASK_HALTED] > 0;
  }
  set taskHalted(value: boolean) {
    this.numbers[this.base + TASK_HALTED] = value ? 1 : 0;
  }

  get taskWakeAt(): Ns {
    return this.numbers[this.base + TASK_WAKE_AT];
  }
  set taskWakeAt(value: Ns) {
    this.numbers[this.base + TASK_WAKE_AT] = value;
  }

  get taskStartedAt(): Ns {
    return this.numbers[this.base + TASK_STARTED_AT];
  }
  set taskStartedAt(value: Ns) {
    this.numbers[this.base + TASK_STARTED_AT] = value;
  }

  get ticks(): number {
    return this.numbers[this.base + TICKS];
  }
  set ticks(value: number) {
    this.numbers[this.base + TICKS] = value;
  }

  get lostTicks(): number {
    return this.numbers[this.base + LOST_TICKS];
  }
  set lostTicks(value: number) {
    this.numbers[this.base + LOST_TICKS] = value;
  }

  /** Its line of /proc/stat. */
  get userNs(): Ns {
    return this.numbers[this.base + USER_NS];
  }
  set userNs(value: Ns) {
    this.numbers[this.base + USER_NS] = value;
  }

  get systemNs(): Ns {
    return this.numbers[this.base + SYSTEM_NS];
  }
  set systemNs(value: Ns) {
    this.numbers[this.base + SYSTEM_NS] = value;
  }

  get idleNs(): Ns {
    return this.numbers[this.base + IDLE_NS];
  }
  set idleNs(value: Ns) {
    this.numbers[this.base + IDLE_NS] = value;
  }

  get stealNs(): Ns {
    return this.numbers[this.base + STEAL_NS];
  }
  set stealNs(value: Ns) {
    this.numbers[this.base + STEAL_NS] = value;
  }

  /** Time out of guest that was taken from the page and not accounted, because the CPU was idle. */
  get stealDroppedIdleNs(): Ns {
    return this.numbers[this.base + STEAL_DROPPED_IDLE_NS];
  }
  set stealDroppedIdleNs(value: Ns) {
    this.numbers[this.base + STEAL_DROPPED_IDLE_NS] = value;
  }

  /** Index of the version word of its page in guest RAM; NO_PAGE while it has none. */
  get pageBase(): number {
    return this.numbers[this.base + PAGE_BASE];
  }
  set pageBase(value: number) {
    this.numbers[this.base + PAGE_BASE] = value;
  }

  /** Its page is looked at for steal. */
  get stealEnabled(): boolean {
    return this.numbers[this.base + STEAL_ENABLED] > 0;
  }
  set stealEnabled(value: boolean) {
    this.numbers[this.base + STEAL_ENABLED] = value ? 1 : 0;
  }

  /** The last read carried the steal flag. */
  get stealActive(): boolean {
    return this.numbers[this.base + STEAL_ACTIVE] > 0;
  }
  set stealActive(value: boolean) {
    this.numbers[this.base + STEAL_ACTIVE] = value ? 1 : 0;
  }

  /** The last value read: two halves. */
  get stealHigh(): number {
    return this.numbers[this.base + STEAL_HIGH];
  }
  set stealHigh(value: number) {
    this.numbers[this.base + STEAL_HIGH] = value;
  }

  get stealLow(): number {
    return this.numbers[this.base + STEAL_LOW];
  }
  set stealLow(value: number) {
    this.numbers[this.base + STEAL_LOW] = value;
  }

  /** The version of the last read that carried the flag; 0 while there was none. */
  get stealVersion(): number {
    return this.numbers[this.base + STEAL_VERSION];
  }
  set stealVersion(value: number) {
    this.numbers[this.base + STEAL_VERSION] = value;
  }

  /** All steal that was handed out. */
  get stealTakenNs(): Ns {
    return this.numbers[this.base + STEAL_TAKEN_NS];
  }
  set stealTakenNs(value: Ns) {
    this.numbers[this.base + STEAL_TAKEN_NS] = value;
  }

  get consistentReads(): number {
    return this.numbers[this.base + CONSISTENT_READS];
  }
  set consistentReads(value: number) {
    this.numbers[this.base + CONSISTENT_READS] = value;
  }

  get readsSinceAudit(): number {
    return this.numbers[this.base + READS_SINCE_AUDIT];
  }
  set readsSinceAudit(value: number) {
    this.numbers[this.base + READS_SINCE_AUDIT] = value;
  }

  /** The last reading of its clock. */
  get clockNs(): Ns {
    return this.numbers[this.base + CLOCK_NS];
  }
  set clockNs(value: Ns) {
    this.numbers[this.base + CLOCK_NS] = value;
  }

  /** A reading found that the host had stopped the guest. */
  get guestStopped(): boolean {
    return this.numbers[this.base + GUEST_STOPPED] > 0;
  }
  set guestStopped(value: boolean) {
    this.numbers[this.base + GUEST_STOPPED] = value ? 1 : 0;
  }

  /** When the watchdog's stamp was touched. */
  get touchedAt(): Ns {
    return this.numbers[this.base + TOUCHED_AT];
  }
  set touchedAt(value: Ns) {
    this.numbers[this.base + TOUCHED_AT] = value;
  }

  get stolenAtTouchNs(): Ns {
    return this.numbers[this.base + STOLEN_AT_TOUCH_NS];
  }
  set stolenAtTouchNs(value: Ns) {
    this.numbers[this.base + STOLEN_AT_TOUCH_NS] = value;
  }

  /** What is known of the stall that goes on: see softlockup-watchdog.ts. */
  get stall(): number {
    return this.numbers[this.base + STALL];
  }
  set stall(value: number) {
    this.numbers[this.base + STALL] = value;
  }
}

/** Nothing falls due, and there is no page. */
function numbersBeforeBoot(cpuCount: number): Float64Array {
  const numbers = new Float64Array(cpuCount * NUMBERS_PER_CPU);
  for (let base = 0; base < numbers.length; base += NUMBERS_PER_CPU) {
    for (const deadline of [NEXT_TICK, NEXT_SAMPLE, OFFLINE_AT, TASK_WAKE_AT]) {
      numbers[base + deadline] = Number.POSITIVE_INFINITY;
    }
    numbers[base + PAGE_BASE] = NO_PAGE;
  }
  return numbers;
}
