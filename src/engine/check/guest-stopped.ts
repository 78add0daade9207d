import type { GuestCpu } from "../../guest/guest-cpu.js";
import { GUEST_STOPPED_MASK, SHIFT_AND_FLAGS_WORD } from "../../shared/pvclock-page.js";
import type { Ns } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";
import type { GuestWitness } from "./guest-witness.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";

/**
 * A guest that was stopped finds GUEST_STOPPED in each of its pages when it goes on, and takes it away when it has read its clock. In
 * a machine that was never stopped it is never there.
 */
export class GuestStopped extends Property {
  readonly name = "a stopped guest is told so";
  readonly #ram: Int32Array;
  readonly #witnesses: readonly VcpuWitness[];
  readonly #guests: GuestWitness;
  /** Junk in the page's memory may look like the bit, and the host leaves the bit to the guest. */
  readonly #junk: boolean;
  /** The vCPU's page must carry the bit when it is entered next. */
  readonly #due: boolean[];
  #resumedAt: Ns = -1;
  /** Before this nobody was stopped. */
  readonly #firstStopNs: Ns;

  constructor(
    { pageMemory, timeline, startAtNs }: Scenario,
    ram: Int32Array,
    witnesses: readonly VcpuWitness[],
    guests: GuestWitness,
  ) {
    super();
    this.#ram = ram;
    this.#witnesses = witnesses;
    this.#guests = guests;
    this.#junk = pageMemory === "junk";
    const stop = timeline.find(({ kind }) => kind !== "offline");
    this.#firstStopNs = stop === undefined ? Number.POSITIVE_INFINITY : startAtNs + stop.atNs;
    this.#due = witnesses.map(() => false);
  }

  override woken(vcpu: number, now: Ns): void {
    if (!this.#guests.vcpus[vcpu].stopped || now === this.#resumedAt) return;
    this.#resumedAt = now;
    this.#witnesses.forEach(({ log }, id) => {
      this.#due[id] = log.base >= 0;
    });
  }

  override unregistered(vcpu: number): void {
    this.#due[vcpu] = false;
  }

  override schedIn(vcpu: number, _pcpu: number, now: Ns): void {
    const flagged = this.#isFlagged(vcpu);
    if (flagged === null) return;
    if (flagged && now < this.#firstStopNs && !this.#junk) {
      this.report(`vCPU ${vcpu}: its page says at ${now} that it was stopped, and it never was`);
    }
    if (!this.#due[vcpu]) return;
    this.exercised++;
    if (!flagged) this.report(`vCPU ${vcpu} goes on at ${now} and its page does not say that it was stopped`);
  }

  /** Whoever takes a tick has read its clock. */
  override told(vcpu: number, _guest: GuestCpu, now: Ns): void {
    this.#due[vcpu] = false;
    const { deadlines, wasOffline } = this.#guests.vcpus[vcpu];
    if (deadlines === 0 || wasOffline || !this.#isFlagged(vcpu)) return;
    this.report(`vCPU ${vcpu} has read its clock and left GUEST_STOPPED there at ${now}`);
  }

  /** null without a page. */
  #isFlagged(vcpu: number): boolean | null {
    const { base } = this.#witnesses[vcpu].log;
    if (base < 0) return null;
    return (Atomics.load(this.#ram, base + SHIFT_AND_FLAGS_WORD) & GUEST_STOPPED_MASK) !== 0;
  }
}
