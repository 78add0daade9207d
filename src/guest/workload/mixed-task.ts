import { remainderOf } from "../../shared/division.js";
import { burstNs, type Jitter } from "../../shared/jitter.js";
import { NS_PER_US, type Ns } from "../../shared/units.js";
import { CpuMode } from "../accounting/cpu-time.js";
import { CpuState } from "../cpu-state.js";
import type { Task } from "./task.js";

/**
 * Burst lengths share no small factor with any tick: at 100, 250 and 1000 Hz the tick visits every part of the 2.64 ms
 * cycle, so that tick accounting sees both modes in their true proportion.
 */
const USER_BURST_NS = 1_730 * NS_PER_US;
const SYSTEM_BURST_NS = 910 * NS_PER_US;

/** Always wants the CPU, in user mode and system mode by turns, about two to one: `mixed`. */
export class MixedTask implements Task {
  readonly #jitter: Jitter | null;
  readonly halted = false;
  readonly wakeAt = Number.POSITIVE_INFINITY;
  readonly preemptible = true;

  readonly #cpu: CpuState;

  constructor(jitter: Jitter | null, cpu = new CpuState()) {
    this.#jitter = jitter;
    this.#cpu = cpu;
  }

  get mode(): CpuMode {
    return this.#cpu.taskMode as CpuMode;
  }

  get remainingNs(): Ns {
    return this.#cpu.taskRemainingNs;
  }

  start(): void {
    this.#cpu.taskMode = CpuMode.User;
    this.#cpu.taskRemainingNs = burstNs(USER_BURST_NS, this.#jitter);
  }

  ran(ns: Ns): void {
    let remainingNs = this.#cpu.taskRemainingNs - remainderOf(ns, USER_BURST_NS + SYSTEM_BURST_NS);
    // Less than one cycle is left to take, and no burst is shorter than half its length: at most four end in it.
    while (remainingNs <= 0) remainingNs += this.#switchMode();
    this.#cpu.taskRemainingNs = remainingNs;
  }

  /** @returns the length of the burst that begins */
  #switchMode(): Ns {
    const mode = this.mode === CpuMode.User ? CpuMode.System : CpuMode.User;
    this.#cpu.taskMode = mode;
    return burstNs(mode === CpuMode.User ? USER_BURST_NS : SYSTEM_BURST_NS, this.#jitter);
  }

  woken(): void {}
}
