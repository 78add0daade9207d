import type { Ns } from "../shared/units.js";
import type { ClockFigures, CostFigures, GuestFigures, ReadFigures } from "./result.js";

/** What a guest CPU says at the end. */
export interface VcpuReport {
  readonly guest: GuestFigures;
  readonly reads: ReadFigures;
  readonly clock: ClockFigures;
  readonly cost: CostFigures;
  readonly steal: StealReport;
  /** schedstat was there, so the noise that the gate holds means something. */
  readonly noiseMeasured: boolean;
}

/** What the guest took from its page, by its own count, for comparison with the host's log. */
export interface StealReport {
  readonly takenNs: Ns;
  readonly firstVersion: number;
  readonly lastVersion: number;
  readonly rebaselined: boolean;
}
