import type { GuestCpu } from "../../guest/guest-cpu.js";
import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import type { GuestWitness } from "./guest-witness.js";
import { PageTimes } from "./page-times.js";
import { Property } from "./property.js";
import { TscReckoning } from "./tsc-reckoning.js";

const TWO_POW_31 = 2_147_483_648;

/**
 * A guest's clock, before the guard that makes it monotonic, tells the time: not earlier than rounding and the multiplier's error
 * since its page was written explain, and at most a cycle later.
 */
export class ClockAccuracy extends Property {
  readonly name = "guest clocks tell the time";
  readonly #guests: GuestWitness;
  readonly #tsc: TscReckoning;
  readonly #times: PageTimes;
  readonly #lastRawNs: Float64Array;

  constructor(scenario: Scenario, guests: GuestWitness) {
    super();
    this.#guests = guests;
    this.#tsc = new TscReckoning(scenario);
    this.#times = new PageTimes(scenario);
    this.#lastRawNs = new Float64Array(scenario.vcpus.length);
  }

  override registered(vcpu: number): void {
    this.#times.registered(vcpu);
  }

  override unregistered(vcpu: number): void {
    this.#times.unregistered(vcpu);
  }

  override schedIn(vcpu: number, pcpu: number): void {
    this.#times.schedIn(vcpu, pcpu);
  }

  override moved(offersSteal: boolean, now: Ns): void {
    this.#times.moved(offersSteal);
    this.#tsc.moved(now);
  }

  override published(vcpu: number, _version: number, _stealNs: Ns, now: Ns): void {
    this.#times.published(vcpu, now);
  }

  /** A reading that is new was taken at this very instant; and whoever takes a tick reads its clock. */
  override told(vcpu: number, { time }: GuestCpu, now: Ns): void {
    const { rawNs } = time.kvmclock;
    const { deadlines, wasOffline } = this.#guests.vcpus[vcpu];
    const tookTick = deadlines > 0 && !wasOffline;
    if (!time.registered || (rawNs === this.#lastRawNs[vcpu] && !tookTick)) return;
    this.#lastRawNs[vcpu] = rawNs;
    this.exercised++;
    const { cycleNs } = this.#tsc;
    const lateNs = now - rawNs;
    const driftNs = Math.ceil((now - this.#times.writtenAt(vcpu)) / TWO_POW_31);
    if (lateNs < -cycleNs || lateNs > 1 + cycleNs + driftNs) {
      this.report(`vCPU ${vcpu}: its clock said ${rawNs} at ${now}`);
    }
  }
}
