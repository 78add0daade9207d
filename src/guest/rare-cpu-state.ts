import type { Ns } from "../shared/units.js";
import type { StealStretch } from "./steal-stretch.js";

/** What changes of a CPU in few events only: see CpuState. */
export class RareCpuState {
  /** Of the hotplug event that is due or going on: when it is wanted online again. */
  onlineAt: Ns = Number.POSITIVE_INFINITY;
  hotplugStartedAt: Ns = 0;
  /** Which hotplug event is next. */
  hotplugNext = 0;
  /** The tick deadline that was next when it went offline. */
  tickStoppedAt: Ns = 0;
  lockupsReported = 0;
  lockupsSuppressed = 0;

  /** What it registered. */
  gpa = 0;
  accountSteal = false;

  /** Stretches of steal that a new baseline ended. */
  endedStretches: readonly StealStretch[] = [];
  /** Of the stretch that goes on. */
  stretchBase = 0;
  stretchFirstVersion = 0;
  takenBeforeStretchNs: Ns = 0;

  /** How far it is from the CPU whose page it reads next. */
  remoteSteps = 0;
  remoteReads = 0;
  overlappedReads = 0;
  readRetries = 0;
  maxReadRetries = 0;
  readsGivenUp = 0;
  auditedReads = 0;
  auditedOverlappedReads = 0;
  unauditedReads = 0;
  tornReads = 0;
}
