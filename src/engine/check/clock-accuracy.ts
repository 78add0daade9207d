import type { GuestCpu } from "../../guest/guest-cpu.js";
import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import type { GuestWitness } from "./guest-witness.js";
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
  /** When each page was written last. */
  readonly #writtenAt: Float64Array;
  readonly #lastRawNs: Float64Array;

  constructor(scenario: Scenario, guests: GuestWitness) {
    super();
    this.#guests = guests;
    this.#tsc = new TscReckoning(scenario);
    this.#writtenAt = new Float64Array(scenario.vcpus.length).fill(scenario.startAtNs);
    this.#lastRawNs = new Float64Array(scenario.vcpus.length);
  }

  override moved(_offersSteal: boolean, now: Ns): void {
    this.#tsc.moved(now);
  }

  override published(vcpu: number, _version: number, _stealNs: Ns, now: Ns): void {
    this.#writtenAt[vcpu] = now;
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
    const driftNs = Math.ceil((now - this.#writtenAt[vcpu]) / TWO_POW_31);
    if (lateNs < -cycleNs || lateNs > 1 + cycleNs + driftNs) {
      this.report(`vCPU ${vcpu}: its clock said ${rawNs} at ${now}`);
    }
  }
}
