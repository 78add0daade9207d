import type { Ns } from "../shared/units.js";
import type { Pcpu } from "./pcpu.js";
import type { Pcpus } from "./pcpus.js";
import type { SchedEntity } from "./sched-entity.js";

/**
 * Periodic balancing runs every so many slices. Only who is queued can be moved: an odd number meets each of two alternating
 * entities in turn, and half a slice more at the start keeps it away from the ends of slices, where one is always on its way out.
 */
export const BALANCE_SLICES = 5;
export const FIRST_BALANCE_SLICES = 5.5;
/** Bounds a round's work; a kernel balances large domains more rarely, too. */
const MAX_TARGETS_PER_ROUND = 64;
const MAX_MOVES_PER_TARGET = 64;

/** Periodic balancing: every pCPU takes from more loaded ones, in turn. Very many pCPUs take their turns over rounds. */
export class Balancer {
  readonly #pcpus: Pcpus;
  readonly #migrate: (entity: SchedEntity, target: Pcpu, now: Ns) => void;
  #round = 0;
  #nextTarget = 0;

  /** @param migrate moves a queued entity to another pCPU */
  constructor(pcpus: Pcpus, migrate: (entity: SchedEntity, target: Pcpu, now: Ns) => void) {
    this.#pcpus = pcpus;
    this.#migrate = migrate;
  }

  /** The rounds there have been, the present one included. */
  get round(): number {
    return this.#round;
  }

  balance(now: Ns): void {
    this.#round++;
    const { all } = this.#pcpus;
    const turns = Math.min(all.length, MAX_TARGETS_PER_ROUND);
    for (let turn = 0; turn < turns; turn++) {
      this.#balanceTo(all[this.#nextTarget], now);
      this.#nextTarget = (this.#nextTarget + 1) % all.length;
    }
  }

  #balanceTo(target: Pcpu, now: Ns): void {
    for (let moves = 0; moves < MAX_MOVES_PER_TARGET; moves++) {
      const entity = this.#pcpus.movableTo(target, this.#round);
      if (entity === null) return;
      // As uneven as before, the other way round: enough to take turns, and no more in this round.
      const turnedRound = this.#pcpus.all[entity.pcpu].load - target.load === entity.weight;
      this.#migrate(entity, target, now);
      if (turnedRound) return;
    }
  }
}
