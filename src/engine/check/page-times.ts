import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";

/** From when the time pair of each page is, by the update policy alone: an update of the steal alone keeps it. */
export class PageTimes {
  readonly #scenario: Scenario;
  readonly #writtenAt: Float64Array;
  readonly #lastPcpus: Int32Array;
  readonly #isKept: Uint8Array;
  #offersSteal: boolean;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#offersSteal = scenario.stealFeature;
    this.#writtenAt = new Float64Array(scenario.vcpus.length).fill(scenario.startAtNs);
    this.#lastPcpus = new Int32Array(scenario.vcpus.length).fill(-1);
    this.#isKept = new Uint8Array(scenario.vcpus.length);
  }

  registered(vcpu: number): void {
    this.#isKept[vcpu] = 0;
  }

  unregistered(vcpu: number): void {
    this.#lastPcpus[vcpu] = -1;
  }

  /** @returns whether it stays on the pCPU that it entered on last, and the machine has not been moved since */
  schedIn(vcpu: number, pcpu: number): boolean {
    const { update, stealUnit } = this.#scenario;
    const canKeep = update.kind === "steal-entry" && stealUnit === "ms" && this.#offersSteal;
    const stays = this.#lastPcpus[vcpu] === pcpu;
    this.#isKept[vcpu] = canKeep && stays ? 1 : 0;
    this.#lastPcpus[vcpu] = pcpu;
    return stays;
  }

  moved(offersSteal: boolean): void {
    this.#offersSteal = offersSteal;
    this.#lastPcpus.fill(-1);
  }

  /** The page was written. @returns from when its time is now */
  published(vcpu: number, now: Ns): Ns {
    if (this.#isKept[vcpu] === 0) this.#writtenAt[vcpu] = now;
    return this.#writtenAt[vcpu];
  }

  writtenAt(vcpu: number): Ns {
    return this.#writtenAt[vcpu];
  }
}
