import { DutyRule } from "./duty-rule.js";
import type { Ns } from "./units.js";

/** A duty cycle that keeps its state itself. */
export class DutyCycle extends DutyRule {
  halted = false;
  wakeAt: Ns = Number.POSITIVE_INFINITY;
  remainingNs: Ns = 0;
  protected startedAt: Ns = 0;
}
