import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import { overrunNsOf } from "./overrun.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";
import { type Stop, stopsOf } from "./stops.js";

/** While the machine is suspended or being moved, no vCPU gets a pCPU, and whoever had one is off it as soon as he can be. */
export class Standstill extends Property {
  readonly name = "a suspended machine stands still";
  readonly #witnesses: readonly VcpuWitness[];
  readonly #stops: readonly Stop[];
  readonly #overrunNs: Ns;
  #next = 0;

  constructor(scenario: Scenario, witnesses: readonly VcpuWitness[]) {
    super();
    this.#witnesses = witnesses;
    this.#overrunNs = overrunNsOf(scenario);
    // Of one that begins late no more can be said.
    this.#stops = stopsOf(scenario).filter(({ late }) => !late);
  }

  override schedIn(vcpu: number, _pcpu: number, now: Ns): void {
    const stop = this.#stopAt(now);
    if (stop === null || now <= stop.fromNs || now >= stop.toNs) return;
    this.report(`vCPU ${vcpu} got a pCPU at ${now}, the machine was suspended from ${stop.fromNs} to ${stop.toNs}`);
  }

  override instantOver(now: Ns): void {
    const stop = this.#stopAt(now);
    if (stop === null || now < stop.fromNs || now >= stop.toNs) return;
    this.exercised++;
    if (now < stop.fromNs + this.#overrunNs) return;
    const left = this.#witnesses.findIndex(({ inGuest }) => inGuest);
    if (left >= 0) this.report(`vCPU ${left} had a pCPU at ${now}, the machine was suspended at ${stop.fromNs}`);
  }

  /** The first stop that is not over at an instant; instants come in order. */
  #stopAt(now: Ns): Stop | null {
    while (this.#next < this.#stops.length && now >= this.#stops[this.#next].toNs) this.#next++;
    return this.#stops[this.#next] ?? null;
  }
}
