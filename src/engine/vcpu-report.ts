import type { AccountingName } from "../guest/build-guest-cpu.js";
import type { GuestCpu } from "../guest/guest-cpu.js";
import type { StealStretch } from "../guest/steal-stretch.js";
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
  readonly stretches: readonly Readonly<StealStretch>[];
}

/** What only a driver knows of a vCPU. */
export interface DriverFigures {
  readonly clock: ClockFigures;
  readonly cost: CostFigures;
  readonly noiseMeasured: boolean;
}

/** Takes a guest CPU's figures down, when it has run for the last time. */
export function reportOf(guest: GuestCpu, accounting: AccountingName, driver: DriverFigures): VcpuReport {
  const { time, cpuTime, watchdog, ticks, lostTicks } = guest;
  const { reported, suppressed } = watchdog;
  const { consistent, overlapped, retries, maxRetries, gaveUp, audited, auditedOverlapped, torn } = time.reader;
  const { auditsEveryRead, unaudited } = time.reader;
  const { takenNs, stretches, active: stealEnabled } = time.stealClock;
  return {
    guest: { accounting, stealEnabled, ...cpuTime.figures(), ticks, lostTicks, softlockups: { reported, suppressed } },
    reads: {
      consistent,
      remote: time.remoteReads,
      overlapped,
      retries,
      maxRetries,
      gaveUp,
      audited,
      auditedOverlapped,
      ...(auditsEveryRead && { unaudited }),
      torn,
    },
    steal: { takenNs, stretches },
    ...driver,
  };
}
