import type { GuestCpu } from "../../guest/guest-cpu.js";
import type { Ns } from "../../shared/units.js";
import type { RunResult } from "../result.js";
import type { GuestWitness } from "./guest-witness.js";
import { Property } from "./property.js";

/**
 * Every deadline of a tick grid is a tick or is lost. A CPU that had been idle books them all; any other takes one at most, however
 * many fell due; those that passed while it was offline are nobody's.
 */
export class TickCount extends Property {
  readonly name = "ticks and lost ticks are the deadlines that passed";
  readonly #witness: GuestWitness;
  readonly #ticks: Float64Array;
  readonly #lostTicks: Float64Array;

  constructor(witness: GuestWitness) {
    super();
    this.#witness = witness;
    this.#ticks = new Float64Array(witness.vcpus.length);
    this.#lostTicks = new Float64Array(witness.vcpus.length);
  }

  override told(vcpu: number, { ticks, lostTicks }: GuestCpu, now: Ns): void {
    const { deadlines, wasHalted, wasOffline } = this.#witness.vcpus[vcpu];
    const due = wasOffline ? 0 : deadlines;
    const taken = wasHalted ? due : Math.min(1, due);
    this.#expect(vcpu, taken, due - taken, ticks, lostTicks, now);
  }

  override finished({ vcpus }: RunResult, now: Ns): void {
    for (const { id, guest } of vcpus) {
      const { deadlines, wasHalted, wasOffline } = this.#witness.vcpus[id];
      const due = wasOffline ? 0 : deadlines;
      // Nobody comes any more to take one; idle time in progress is booked.
      const booked = wasHalted ? due : 0;
      this.#expect(id, booked, due - booked, guest.ticks, guest.lostTicks, now);
    }
  }

  #expect(vcpu: number, taken: number, lost: number, ticks: number, lostTicks: number, now: Ns): void {
    if (taken + lost > 0) this.exercised++;
    const newTicks = ticks - this.#ticks[vcpu];
    const newlyLost = lostTicks - this.#lostTicks[vcpu];
    if (newTicks !== taken || newlyLost !== lost) {
      this.report(`vCPU ${vcpu}: ${newTicks} ticks and ${newlyLost} lost at ${now}, due were ${taken} and ${lost}`);
    }
    this.#ticks[vcpu] = ticks;
    this.#lostTicks[vcpu] = lostTicks;
  }
}
