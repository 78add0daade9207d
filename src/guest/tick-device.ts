import { wholeQuotient } from "../shared/division.js";
import type { Ns } from "../shared/units.js";
import { CpuState } from "./cpu-state.js";

/**
 * A CPU's periodic tick: a grid of deadlines, tickNsec apart, with a phase of its own. A deadline that passes while the
 * CPU is out of guest stays pending; at most one is delivered, the others are lost and the next is on the grid again.
 */
export class TickDevice {
  readonly tickNsec: Ns;
  readonly #cpu: CpuState;

  constructor(tickNsec: Ns, cpu = new CpuState()) {
    this.tickNsec = tickNsec;
    this.#cpu = cpu;
  }

  /** The next deadline; Infinity until started. */
  get nextTick(): Ns {
    return this.#cpu.nextTick;
  }

  /** Starts the grid: its first deadline is the first of start + phase + n ticks that is after start. */
  start(startNs: Ns, phaseNs: Ns): void {
    this.#cpu.nextTick = startNs + (phaseNs > 0 ? phaseNs : this.tickNsec);
  }

  /** The CPU goes offline: no deadline until it is resumed. */
  stop(): void {
    this.#cpu.rare.tickStoppedAt = this.#cpu.nextTick;
    this.#cpu.nextTick = Number.POSITIVE_INFINITY;
  }

  /** The CPU is online again: goes on with the first deadline of the old grid that has not passed. */
  resume(now: Ns): void {
    this.#cpu.nextTick = this.#cpu.rare.tickStoppedAt;
    this.takeDue(now);
  }

  /** Deadlines that have passed by now; moves on to the first that has not. */
  takeDue(now: Ns): number {
    const { nextTick } = this.#cpu;
    if (now < nextTick) return 0;
    const lateNs = now - nextTick;
    const further = lateNs < this.tickNsec ? 0 : wholeQuotient(lateNs, this.tickNsec);
    this.#cpu.nextTick = nextTick + (further + 1) * this.tickNsec;
    return further + 1;
  }
}
