import { NEVER } from "../../shared/deadline-heap.js";
import type { RandomStream } from "../../shared/random-stream.js";
import type { Ns } from "../../shared/units.js";
import type { ChanceConfig } from "../scenario.js";

/** How far a vCPU has got with a grant. */
const State = { None: 0, Granted: 1, Entered: 2 } as const;

/** A vCPU's row of instants and its noise. */
const CELLS = 4;
/** When the grant reaches it. */
const ENTER_AT = 0;
/** When the kick reaches it; NEVER while it was not kicked. */
const LEAVE_AT = 1;
/** The grant or the kick that it does not know of yet. */
const UNSEEN_SINCE = 2;
const NOISE = 3;

/**
 * What each vCPU was commanded, and how late it reaches it: a grant by up to wakeLatencyNs, a kick by up to hostNoiseNs. In
 * arrays by vCPU, since every switch looks at it, of up to 100,000 of them.
 */
export class Grants {
  readonly #chance: ChanceConfig;
  /** By vCPU; empty when nothing is left to chance. */
  readonly #random: readonly RandomStream[];
  readonly #states: Uint8Array;
  readonly #cells: Float64Array;

  constructor(vcpuCount: number, chance: ChanceConfig, random: readonly RandomStream[]) {
    this.#chance = chance;
    this.#random = random;
    this.#states = new Uint8Array(vcpuCount);
    this.#cells = new Float64Array(vcpuCount * CELLS);
    for (let row = 0; row < this.#cells.length; row += CELLS) this.#cells[row + LEAVE_AT] = NEVER;
  }

  /** It has a pCPU, whether or not it knows. */
  isGranted(vcpu: number): boolean {
    return this.#states[vcpu] !== State.None;
  }

  hasEntered(vcpu: number): boolean {
    return this.#states[vcpu] === State.Entered;
  }

  enterAt(vcpu: number): Ns {
    return this.#cells[vcpu * CELLS + ENTER_AT];
  }

  leaveAt(vcpu: number): Ns {
    return this.#cells[vcpu * CELLS + LEAVE_AT];
  }

  /** Time in which the ledger says "run" and the guest was not told yet, or was to be gone. */
  noiseNs(vcpu: number): Ns {
    return this.#cells[vcpu * CELLS + NOISE];
  }

  grant(vcpu: number, now: Ns): void {
    this.#states[vcpu] = State.Granted;
    this.#cells[vcpu * CELLS + UNSEEN_SINCE] = now;
    this.#cells[vcpu * CELLS + ENTER_AT] = now + this.#draw(vcpu, this.#chance.wakeLatencyNs);
  }

  entered(vcpu: number, now: Ns): void {
    this.#states[vcpu] = State.Entered;
    this.#cells[vcpu * CELLS + NOISE] += now - this.#cells[vcpu * CELLS + UNSEEN_SINCE];
    this.#cells[vcpu * CELLS + UNSEEN_SINCE] = now;
  }

  /** It has to give its pCPU back, and not before it has entered. */
  kick(vcpu: number, now: Ns): void {
    if (this.hasEntered(vcpu)) this.#cells[vcpu * CELLS + UNSEEN_SINCE] = now;
    this.#cells[vcpu * CELLS + LEAVE_AT] = now + this.#draw(vcpu, this.#chance.hostNoiseNs);
  }

  left(vcpu: number, now: Ns): void {
    if (this.#cells[vcpu * CELLS + LEAVE_AT] !== NEVER)
      this.#cells[vcpu * CELLS + NOISE] += now - this.#cells[vcpu * CELLS + UNSEEN_SINCE];
    this.#states[vcpu] = State.None;
    this.#cells[vcpu * CELLS + LEAVE_AT] = NEVER;
  }

  #draw(vcpu: number, maximumNs: Ns): Ns {
    return maximumNs === 0 ? 0 : this.#random[vcpu].below(maximumNs + 1);
  }
}
