import type { Ns } from "../../shared/units.js";

/** What the tick interrupted. */
export const CpuMode = { User: 0, System: 1, Idle: 2 } as const;
export type CpuMode = (typeof CpuMode)[keyof typeof CpuMode];

/** One CPU's line of /proc/stat, in ns: kernel_cpustat (include/linux/kernel_stat.h), with what the RFC drops beside it. */
export class CpuTime {
  userNs: Ns = 0;
  systemNs: Ns = 0;
  idleNs: Ns = 0;
  stealNs: Ns = 0;
  /** Time out of guest that was taken from the page and not accounted, because the CPU was idle. */
  stealDroppedIdleNs: Ns = 0;

  account(mode: CpuMode, ns: Ns): void {
    switch (mode) {
      case CpuMode.User:
        this.userNs += ns;
        return;
      case CpuMode.System:
        this.systemNs += ns;
        return;
      case CpuMode.Idle:
        this.idleNs += ns;
        return;
    }
  }
}
