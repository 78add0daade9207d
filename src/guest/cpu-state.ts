import type { StealStretch } from "./steal-stretch.js";

/**
 * Where each number of a CPU is. The first 32 are looked at in almost every event: four or five cache lines. Instants and
 * lengths are in ns; what is yes or no is 1 or 0.
 */
export const Slot = {
  // The CPU, and what falls due next.
  ToldAt: 0,
  Idle: 1,
  Offline: 2,
  NextTick: 3,
  NextSample: 4,
  OfflineAt: 5,
  TaskRemaining: 6,
  TaskMode: 7,
  TaskHalted: 8,
  TaskWakeAt: 9,
  // A tick.
  Ticks: 10,
  LostTicks: 11,
  User: 12,
  System: 13,
  IdleTime: 14,
  Steal: 15,
  // The page, and steal as it says it.
  PageBase: 16,
  StealEnabled: 17,
  StealActive: 18,
  StealHigh: 19,
  StealLow: 20,
  StealVersion: 21,
  StealTaken: 22,
  ReadsConsistent: 23,
  ReadsSinceAudit: 24,
  // The clock by the page, and the watchdog.
  ClockLast: 25,
  ClockRaw: 26,
  GuestStopped: 27,
  TouchedAt: 28,
  StolenAtTouch: 29,
  Stall: 30,
  TaskStartedAt: 31,
  // What is rare.
  OnlineAt: 32,
  HotplugStartedAt: 33,
  HotplugNext: 34,
  TickStoppedAt: 35,
  StealDroppedIdle: 36,
  LockupsReported: 37,
  LockupsSuppressed: 38,
  StretchBase: 39,
  StretchFirstVersion: 40,
  StretchTakenBefore: 41,
  Gpa: 42,
  AccountSteal: 43,
  RemoteSteps: 44,
  RemoteReads: 45,
  ReadsOverlapped: 46,
  ReadRetries: 47,
  ReadMaxRetries: 48,
  ReadsGaveUp: 49,
  ReadsAudited: 50,
  ReadsAuditedOverlapped: 51,
  ReadsTorn: 52,
} as const;

/** Whole cache lines. */
const STRIDE = 56;

/** In PageBase: no page is registered. */
export const NO_PAGE = -1;

/** What is not 0 before a CPU boots: nothing falls due, and there is no page. */
const NOT_BEFORE_BOOT = [Slot.NextTick, Slot.NextSample, Slot.OfflineAt, Slot.OnlineAt, Slot.TaskWakeAt];

/**
 * All that changes in the guest CPUs of one thread, side by side: a row of numbers for each CPU. The objects of guest/ are rules
 * over the row that is selected, so that CPUs of one configuration can share them: a machine of 10,000 CPUs that had objects
 * of its own for each would wait for memory most of the time.
 */
export class CpuState {
  readonly numbers: Float64Array;
  /** What is no number, and rare, by CPU: the stretches of steal that a new baseline ended. */
  readonly endedStretches: Map<number, readonly StealStretch[]>;
  /** The selected CPU. */
  cpu: number;
  /** Where its row begins: a number of it is numbers[base + Slot...]. */
  base = 0;
  readonly #firstCpu: number;

  /** @param firstCpu the number of the first of the CPUs, which is selected then */
  constructor(cpuCount = 1, firstCpu = 0, sameAs: CpuState | null = null) {
    this.numbers = sameAs?.numbers ?? numbersBeforeBoot(cpuCount);
    this.endedStretches = sameAs?.endedStretches ?? new Map();
    this.cpu = firstCpu;
    this.#firstCpu = firstCpu;
  }

  select(cpu: number): void {
    this.cpu = cpu;
    this.base = (cpu - this.#firstCpu) * STRIDE;
  }

  /** The same CPUs, with a selection of its own. */
  viewOf(cpu: number): CpuState {
    const view = new CpuState(0, this.#firstCpu, this);
    view.select(cpu);
    return view;
  }
}

function numbersBeforeBoot(cpuCount: number): Float64Array {
  const numbers = new Float64Array(cpuCount * STRIDE);
  for (let base = 0; base < numbers.length; base += STRIDE) {
    for (const slot of NOT_BEFORE_BOOT) numbers[base + slot] = Number.POSITIVE_INFINITY;
    numbers[base + Slot.PageBase] = NO_PAGE;
  }
  return numbers;
}
