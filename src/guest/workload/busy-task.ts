import type { CpuMode } from "../accounting/cpu-time.js";
import type { Task } from "./task.js";

/** Always wants the CPU, in one mode: `hog`, `kernel` and, when it lets nothing else run, `stuck`. */
export class BusyTask implements Task {
  readonly mode: CpuMode;
  readonly halted = false;
  readonly wakeAt = Number.POSITIVE_INFINITY;
  readonly remainingNs = Number.POSITIVE_INFINITY;
  readonly preemptible: boolean;

  constructor(mode: CpuMode, preemptible: boolean) {
    this.mode = mode;
    this.preemptible = preemptible;
  }

  start(): void {}
  ran(): void {}
  woken(): void {}
}
