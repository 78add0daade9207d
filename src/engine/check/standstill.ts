import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";

interface Span {
  readonly fromNs: Ns;
  readonly toNs: Ns;
}

/** While the machine is suspended or being moved, no vCPU gets a pCPU, and whoever had one is off it as soon as he can be. */
export class Standstill extends Property {
  readonly name = "a suspended machine stands still";
  readonly #witnesses: readonly VcpuWitness[];
  readonly #spans: readonly Span[];
  readonly #overrunNs: Ns;
  #next = 0;

  constructor({ timeline, startAtNs, chance }: Scenario, witnesses: readonly VcpuWitness[]) {
    super();
    this.#witnesses = witnesses;
    this.#overrunNs = Math.max(chance.wakeLatencyNs, chance.hostNoiseNs);
    // One that is over late puts off the next, of which no more can be said then.
    let clearFromNs = 0;
    this.#spans = timeline.flatMap(({ kind, atNs, forNs }) => {
      if (kind === "offline") return [];
      const inTime = atNs >= clearFromNs;
      clearFromNs = Math.max(clearFromNs, atNs) + Math.max(forNs, this.#overrunNs);
      return inTime ? [{ fromNs: startAtNs + atNs, toNs: startAtNs + atNs + forNs }] : [];
    });
  }

  override schedIn(vcpu: number, _pcpu: number, now: Ns): void {
    const span = this.#spanAt(now);
    if (span === null || now <= span.fromNs || now >= span.toNs) return;
    this.report(`vCPU ${vcpu} got a pCPU at ${now}, the machine was suspended from ${span.fromNs} to ${span.toNs}`);
  }

  override instantOver(now: Ns): void {
    const span = this.#spanAt(now);
    if (span === null || now < span.fromNs || now >= span.toNs) return;
    this.exercised++;
    if (now < span.fromNs + this.#overrunNs) return;
    const left = this.#witnesses.findIndex(({ inGuest }) => inGuest);
    if (left >= 0) this.report(`vCPU ${left} had a pCPU at ${now}, the machine was suspended at ${span.fromNs}`);
  }

  /** The first span that is not over at an instant; instants come in order. */
  #spanAt(now: Ns): Span | null {
    while (this.#next < this.#spans.length && now >= this.#spans[this.#next].toNs) this.#next++;
    return this.#spans[this.#next] ?? null;
  }
}
