import type { GuestCpu } from "../../guest/guest-cpu.js";
import { type Ns, tickNsecOf } from "../../shared/units.js";
import type { GuestFigures, RunResult } from "../result.js";
import type { Scenario, Workload } from "../scenario.js";
import type { GuestWitness } from "./guest-witness.js";
import { Property } from "./property.js";
import { StealReckoning } from "./steal-reckoning.js";

const COUNTERS = ["userNs", "systemNs", "idleNs", "stealNs", "stealDroppedIdleNs"] as const;
type Counter = (typeof COUNTERS)[number];
type Books = Pick<GuestFigures, Counter>;

/** What a CPU's counters must be, user and system time together: `mixed` has both. */
interface Expected {
  busyNs: Ns;
  idleNs: Ns;
  stealNs: Ns;
  droppedNs: Ns;
}

/** Idle spans: ticks booked when idle ends, and whether one more was pending then. */
interface IdleExit {
  readonly booked: number;
  readonly pendingTick: boolean;
}

/**
 * The guests' counters hold what their era's rule makes of the ticks that fell due and of the pages' bytes, to the ns; none ever goes
 * back. A second reckoning, straight from the rules in docs/accounting.md.
 */
export class GuestBooks extends Property {
  readonly name = "guest counters follow from ticks and page";
  readonly #scenario: Scenario;
  readonly #tickNsec: Ns;
  readonly #witness: GuestWitness;
  readonly #steal: readonly StealReckoning[];
  readonly #expected: readonly Expected[];
  readonly #last: Record<Counter, Ns>[];
  /** Registered, and the guest has not seen its page yet. */
  readonly #baselineDue: boolean[];
  /** Unregistered, and not told the time since: what it did before it gave its page back is not reckoned yet. */
  readonly #leaving: boolean[];

  constructor(scenario: Scenario, ram: Int32Array, witness: GuestWitness) {
    super();
    const { vcpus, hz } = scenario;
    this.#scenario = scenario;
    this.#tickNsec = tickNsecOf(hz);
    this.#witness = witness;
    this.#steal = vcpus.map(() => new StealReckoning(ram, scenario));
    this.#expected = vcpus.map(() => ({ busyNs: 0, idleNs: 0, stealNs: 0, droppedNs: 0 }));
    this.#last = vcpus.map(() => ({ userNs: 0, systemNs: 0, idleNs: 0, stealNs: 0, stealDroppedIdleNs: 0 }));
    this.#baselineDue = vcpus.map(() => false);
    this.#leaving = vcpus.map(() => false);
  }

  override registered(vcpu: number, base: number): void {
    this.#steal[vcpu].registered(base);
    this.#baselineDue[vcpu] = true;
  }

  override unregistered(vcpu: number): void {
    this.#leaving[vcpu] = true;
  }

  /** The page is filled at once, and the guest takes its first look. */
  override published(vcpu: number): void {
    if (this.#baselineDue[vcpu]) this.#steal[vcpu].take();
    this.#baselineDue[vcpu] = false;
  }

  override told(vcpu: number, { cpuTime, time }: GuestCpu, now: Ns): void {
    const { deadlines, wasHalted, wasOffline } = this.#witness.vcpus[vcpu];
    if (!wasOffline) {
      if (wasHalted) this.#leaveIdle(vcpu, { booked: Math.max(0, deadlines - 1), pendingTick: deadlines > 0 });
      else if (deadlines > 0) this.#tick(vcpu);
    }
    if (this.#leaving[vcpu]) this.#steal[vcpu].unregistered();
    this.#leaving[vcpu] = false;
    this.#compare(vcpu, cpuTime, now);
    const { takenNs, active } = this.#steal[vcpu];
    const { stealClock } = time;
    if (stealClock.takenNs !== takenNs || stealClock.active !== active) {
      const found = `${stealClock.takenNs} ns${stealClock.active ? "" : ", disabled"}`;
      this.report(`vCPU ${vcpu}: stolen at ${now}: ${found}; its page says ${takenNs} ns${active ? "" : ", disabled"}`);
    }
  }

  override finished({ vcpus }: RunResult, now: Ns): void {
    for (const { id, guest } of vcpus) {
      const { deadlines, wasHalted, wasOffline } = this.#witness.vcpus[id];
      if (wasHalted && !wasOffline) this.#leaveIdle(id, { booked: deadlines, pendingTick: false });
      this.#compare(id, guest, now);
    }
  }

  #leaveIdle(vcpu: number, { booked, pendingTick }: IdleExit): void {
    const expected = this.#expected[vcpu];
    const bookedNs = booked * this.#tickNsec;
    const pendingNs = pendingTick ? this.#tickNsec : 0;
    const steal = this.#steal[vcpu];
    switch (this.#scenario.accounting) {
      case "none":
        expected.idleNs += bookedNs + pendingNs;
        return;
      case "rfc-v2":
        expected.droppedNs += steal.take();
        expected.idleNs += bookedNs + pendingNs;
        return;
      case "mainline": {
        // Steal is taken out of the first span that is booked; the page can't have changed by the second.
        if (bookedNs + pendingNs === 0) return;
        const stolenNs = steal.take();
        const firstNs = bookedNs > 0 ? bookedNs : pendingNs;
        const secondNs = bookedNs > 0 ? pendingNs : 0;
        expected.stealNs += stolenNs;
        expected.idleNs += Math.max(0, firstNs - stolenNs) + secondNs;
        return;
      }
    }
  }

  /** One tick of a CPU that is not idle; before its first entry a task that never wants the CPU has not halted it yet. */
  #tick(vcpu: number): void {
    const expected = this.#expected[vcpu];
    const stolenNs = this.#scenario.accounting === "none" ? 0 : this.#steal[vcpu].take();
    const idle = this.#scenario.vcpus[vcpu].workload.kind === "idle";
    if (this.#scenario.accounting === "rfc-v2" && idle) {
      expected.droppedNs += stolenNs;
      expected.idleNs += this.#tickNsec;
      return;
    }
    expected.stealNs += stolenNs;
    const wholeOrNothing = this.#scenario.accounting === "rfc-v2" && stolenNs > 0;
    const restNs = wholeOrNothing ? 0 : Math.max(0, this.#tickNsec - stolenNs);
    if (idle) expected.idleNs += restNs;
    else expected.busyNs += restNs;
  }

  #compare(vcpu: number, books: Books, now: Ns): void {
    this.exercised++;
    const last = this.#last[vcpu];
    for (const counter of COUNTERS) {
      if (books[counter] < last[counter]) this.report(`vCPU ${vcpu}: ${counter} went back at ${now}`);
      last[counter] = books[counter];
    }
    const { busyNs, idleNs, stealNs, droppedNs } = this.#expected[vcpu];
    const expect = (what: string, found: Ns, expectedNs: Ns) => {
      if (found !== expectedNs) this.report(`vCPU ${vcpu}: ${what} is ${found} ns at ${now}, expected ${expectedNs}`);
    };
    expect("user and system time", books.userNs + books.systemNs, busyNs);
    expect("idle time", books.idleNs, idleNs);
    expect("steal", books.stealNs, stealNs);
    expect("steal dropped while idle", books.stealDroppedIdleNs, droppedNs);
    const absent = absentMode(this.#scenario.vcpus[vcpu].workload);
    if (absent !== null) expect(absent, books[absent], 0);
  }
}

/** The mode in which this workload is never found. */
function absentMode({ kind }: Workload): "userNs" | "systemNs" | null {
  switch (kind) {
    case "hog":
    case "duty":
    case "idle":
      return "systemNs";
    case "kernel":
    case "stuck":
      return "userNs";
    case "mixed":
      return null;
  }
}
