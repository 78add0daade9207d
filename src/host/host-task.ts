import { DutyCycle } from "../shared/duty-cycle.js";
import type { Ns } from "../shared/units.js";

/**
 * A task of the host that competes with the vCPUs: `hog` or `duty`. It is emulated to the end: it occupies a pCPU
 * without burning any real one. A hog is a duty cycle that never ends.
 */
export class HostTask {
  readonly #cycle: DutyCycle | null;

  /** @param duty null for a hog */
  constructor(duty: { readonly busyNs: Ns; readonly periodNs: Ns } | null) {
    this.#cycle = duty === null ? null : new DutyCycle(duty.busyNs, duty.periodNs);
  }

  get halted(): boolean {
    return this.#cycle?.halted ?? false;
  }

  get wakeAt(): Ns {
    return this.#cycle?.wakeAt ?? Number.POSITIVE_INFINITY;
  }

  get remainingNs(): Ns {
    return this.#cycle?.remainingNs ?? Number.POSITIVE_INFINITY;
  }

  start(now: Ns): void {
    this.#cycle?.start(now);
  }

  ran(ns: Ns, now: Ns): void {
    this.#cycle?.ran(ns, now);
  }

  woken(now: Ns): void {
    this.#cycle?.woken(now);
  }
}
