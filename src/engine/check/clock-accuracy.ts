import type { GuestCpu } from "../../guest/guest-cpu.js";
import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import { Property } from "./property.js";
import { TscReckoning } from "./tsc-reckoning.js";

const TWO_POW_31 = 2_147_483_648;

/**
 * A guest's clock, before the guard that makes it monotonic, tells the time: not earlier than rounding and the multiplier's error
 * since its page was written explain, and at most a cycle later.
 */
export class ClockAccuracy extends Property {
  readonly name = "guest clocks tell the time";
  readonly #tsc: TscReckoning;
  /** When each page was written last. */
  readonly #writtenAt: Float64Array;

  constructor(scenario: Scenario) {
    super();
    this.#tsc = new TscReckoning(scenario);
    this.#writtenAt = new Float64Array(scenario.vcpus.length).fill(scenario.startAtNs);
  }

  override moved(_offersSteal: boolean, now: Ns): void {
    this.#tsc.moved(now);
  }

  override published(vcpu: number, _version: number, _stealNs: Ns, now: Ns): void {
    this.#writtenAt[vcpu] = now;
  }

  /** The clock's monitor has read it at this very instant: in a machine whose watchInterval is 1. */
  override told(vcpu: number, { time }: GuestCpu, now: Ns): void {
    if (!time.registered) return;
    this.exercised++;
    const { cycleNs } = this.#tsc;
    const lateNs = now - time.kvmclock.rawNs;
    const driftNs = Math.ceil((now - this.#writtenAt[vcpu]) / TWO_POW_31);
    if (lateNs < -cycleNs || lateNs > 1 + cycleNs + driftNs) {
      this.report(`vCPU ${vcpu}: its clock said ${time.kvmclock.rawNs} at ${now}`);
    }
  }
}
