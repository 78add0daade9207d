import { DutyCycle } from "../../shared/duty-cycle.js";
import { CpuMode } from "../accounting/cpu-time.js";
import type { Task } from "./task.js";

/** Part of the time in user mode, halted for the rest of each period: `duty:70%/10ms`. */
export class DutyTask extends DutyCycle implements Task {
  readonly mode = CpuMode.User;
  readonly preemptible = true;
}
