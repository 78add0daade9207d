import type { Ns } from "../../shared/units.js";
import { CpuState } from "../cpu-state.js";

/** What the tick interrupted. */
export const CpuMode = { User: 0, System: 1, Idle: 2 } as const;
export type CpuMode = (typeof CpuMode)[keyof typeof CpuMode];

/** What a CpuTime holds, at one moment. */
export interface CpuTimeFigures {
  readonly userNs: Ns;
  readonly systemNs: Ns;
  readonly idleNs: Ns;
  readonly stealNs: Ns;
  readonly stealDroppedIdleNs: Ns;
}

/** One CPU's line of /proc/stat, in ns: kernel_cpustat (include/linux/kernel_stat.h), with what the RFC drops beside it. */
export class CpuTime {
  readonly #cpu: CpuState;

  constructor(cpu = new CpuState()) {
    this.#cpu = cpu;
  }

  get userNs(): Ns {
    return this.#cpu.userNs;
  }
  set userNs(value: Ns) {
    this.#cpu.userNs = value;
  }

  get systemNs(): Ns {
    return this.#cpu.systemNs;
  }
  set systemNs(value: Ns) {
    this.#cpu.systemNs = value;
  }

  get idleNs(): Ns {
    return this.#cpu.idleNs;
  }
  set idleNs(value: Ns) {
    this.#cpu.idleNs = value;
  }

  get stealNs(): Ns {
    return this.#cpu.stealNs;
  }
  set stealNs(value: Ns) {
    this.#cpu.stealNs = value;
  }

  /** Time out of guest that was taken from the page and not accounted, because the CPU was idle. */
  get stealDroppedIdleNs(): Ns {
    return this.#cpu.stealDroppedIdleNs;
  }
  set stealDroppedIdleNs(value: Ns) {
    this.#cpu.stealDroppedIdleNs = value;
  }

  /** A copy, for a report. */
  figures(): CpuTimeFigures {
    const { userNs, systemNs, idleNs, stealNs, stealDroppedIdleNs } = this;
    return { userNs, systemNs, idleNs, stealNs, stealDroppedIdleNs };
  }

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
