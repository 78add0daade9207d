import { DutyRule } from "../../shared/duty-rule.js";
import type { Jitter } from "../../shared/jitter.js";
import type { Ns } from "../../shared/units.js";
import { CpuMode } from "../accounting/cpu-time.js";
import { CpuState } from "../cpu-state.js";
import type { Task } from "./task.js";

/** Part of the time in user mode, halted for the rest of each period: `duty:70%/10ms`. */
export class DutyTask extends DutyRule implements Task {
  readonly mode = CpuMode.User;
  readonly preemptible = true;
  readonly #cpu: CpuState;

  constructor(busyNs: Ns, periodNs: Ns, jitter: Jitter | null = null, cpu = new CpuState()) {
    super(busyNs, periodNs, jitter);
    this.#cpu = cpu;
  }

  get halted(): boolean {
    return this.#cpu.taskHalted;
  }
  set halted(value: boolean) {
    this.#cpu.taskHalted = value;
  }

  get wakeAt(): Ns {
    return this.#cpu.taskWakeAt;
  }
  set wakeAt(value: Ns) {
    this.#cpu.taskWakeAt = value;
  }

  get remainingNs(): Ns {
    return this.#cpu.taskRemainingNs;
  }
  set remainingNs(value: Ns) {
    this.#cpu.taskRemainingNs = value;
  }

  protected get startedAt(): Ns {
    return this.#cpu.taskStartedAt;
  }
  protected set startedAt(value: Ns) {
    this.#cpu.taskStartedAt = value;
  }
}
