import { NEVER } from "../../shared/deadline-heap.js";
import type { RandomStream } from "../../shared/random-stream.js";
import type { Ns } from "../../shared/units.js";
import type { ChanceConfig } from "../scenario.js";

/** How far a vCPU has got with a grant. */
const State = { None: 0, Granted: 1, Entered: 2 } as const;

/**
 * What each vCPU was commanded, and how late it reaches it: a grant by up to wakeLatencyNs, a kick by up to hostNoiseNs. In
 * arrays by vCPU, since every switch looks at it, of up to 100,000 of them.
 */
export class Grants {
  readonly #chance: ChanceConfig;
  /** By vCPU; empty when nothing is left to chance. */
  readonly #random: readonly RandomStream[];
  readonly #states: Uint8Array;
  /** When the grant reaches it. */
  readonly #enterAt: Float64Array;
  /** When the kick reaches it; NEVER while it was not kicked. */
  readonly #leaveAt: Float64Array;
  /** The grant or the kick that it does not know of yet. */
  readonly #unseenSince: Float64Array;
  readonly #noiseNs: Float64Array;

  constructor(vcpuCount: number, chance: ChanceConfig, random: readonly RandomStream[]) {
    this.#chance = chance;
    this.#random = random;
    this.#states = new Uint8Array(vcpuCount);
    this.#enterAt = new Float64Array(vcpuCount);
    this.#leaveAt = new Float64Array(vcpuCount).fill(NEVER);
    this.#unseenSince = new Float64Array(vcpuCount);
    this.#noiseNs = new Float64Array(vcpuCount);
  }

  /** It has a pCPU, whether or not it knows. */
  isGranted(vcpu: number): boolean {
    return this.#states[vcpu] !== State.None;
  }

  hasEntered(vcpu: number): boolean {
    return this.#states[vcpu] === State.Entered;
  }

  enterAt(vcpu: number): Ns {
    return this.#enterAt[vcpu];
  }

  leaveAt(vcpu: number): Ns {
    return this.#leaveAt[vcpu];
  }

  /** Time in which the ledger says "run" and the guest was not told yet, or was to be gone. */
  noiseNs(vcpu: number): Ns {
    return this.#noiseNs[vcpu];
  }

  grant(vcpu: number, now: Ns): void {
    this.#states[vcpu] = State.Granted;
    this.#unseenSince[vcpu] = now;
    this.#enterAt[vcpu] = now + this.#draw(vcpu, this.#chance.wakeLatencyNs);
  }

  entered(vcpu: number, now: Ns): void {
    this.#states[vcpu] = State.Entered;
    this.#noiseNs[vcpu] += now - this.#unseenSince[vcpu];
    this.#unseenSince[vcpu] = now;
  }

  /** It has to give its pCPU back, and not before it has entered. */
  kick(vcpu: number, now: Ns): void {
    if (this.hasEntered(vcpu)) this.#unseenSince[vcpu] = now;
    this.#leaveAt[vcpu] = now + this.#draw(vcpu, this.#chance.hostNoiseNs);
  }

  left(vcpu: number, now: Ns): void {
    if (this.#leaveAt[vcpu] !== NEVER) this.#noiseNs[vcpu] += now - this.#unseenSince[vcpu];
    this.#states[vcpu] = State.None;
    this.#leaveAt[vcpu] = NEVER;
  }

  #draw(vcpu: number, maximumNs: Ns): Ns {
    return maximumNs === 0 ? 0 : this.#random[vcpu].below(maximumNs + 1);
  }
}
