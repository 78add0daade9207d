import { CpuMode } from "../accounting/cpu-time.js";
import type { Task } from "./task.js";

/** Never wants the CPU: `idle`. */
export class IdleTask implements Task {
  readonly mode = CpuMode.Idle;
  readonly halted = true;
  readonly wakeAt = Number.POSITIVE_INFINITY;
  readonly remainingNs = Number.POSITIVE_INFINITY;
  readonly preemptible = true;

  start(): void {}
  ran(): void {}
  woken(): void {}
}
