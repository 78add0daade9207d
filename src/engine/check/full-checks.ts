import type { GuestCpu } from "../../guest/guest-cpu.js";
import type { OutState } from "../../host/sched-notifier.js";
import type { Ns } from "../../shared/units.js";
import { buildChecker } from "../build-host.js";
import type { RunResult } from "../result.js";
import type { Scenario } from "../scenario.js";
import type { MachineObserver } from "../virtual/virtual-machine.js";
import { ClockAccuracy } from "./clock-accuracy.js";
import { Fairness } from "./fairness.js";
import { GuestBooks } from "./guest-books.js";
import { GuestStopped } from "./guest-stopped.js";
import { GuestWitness } from "./guest-witness.js";
import { PageSurroundings } from "./page-surroundings.js";
import { PageWrites } from "./page-writes.js";
import { Placement } from "./placement.js";
import type { Property } from "./property.js";
import type { RunChecker } from "./run-checker.js";
import { RunQueues } from "./run-queues.js";
import { Softlockups } from "./softlockups.js";
import { Standstill } from "./standstill.js";
import { TickCount } from "./tick-count.js";
import { WaitBound } from "./wait-bound.js";
import { Wakeups } from "./wakeups.js";
import { WorkConservation } from "./work-conservation.js";

/**
 * Every property that can be watched in a virtual machine, with books of its own of what host and guests are seen to do. Too dear for
 * every run: for tests and the fuzzer.
 */
export class FullChecks implements MachineObserver {
  readonly properties: readonly Property[];
  readonly #books: RunChecker;
  readonly #guests: GuestWitness;

  constructor(scenario: Scenario, ram: Int32Array) {
    this.#books = buildChecker(scenario, ram);
    this.#books.begin(scenario.startAtNs);
    this.#guests = new GuestWitness(scenario);
    this.properties = propertiesOf(scenario, ram, this.#books, this.#guests);
  }

  schedOut(vcpu: number, state: OutState, now: Ns): void {
    this.#books.schedOut(vcpu, state, now);
    this.#guests.schedOut(vcpu, state);
    for (const property of this.properties) property.schedOut(vcpu, state, now);
  }

  woken(vcpu: number, now: Ns): void {
    this.#books.woken(vcpu, now);
    for (const property of this.properties) property.woken(vcpu, now);
  }

  suspended(vcpu: number, now: Ns): void {
    this.#books.suspended(vcpu, now);
    this.#guests.suspended(vcpu);
    for (const property of this.properties) property.suspended(vcpu, now);
  }

  schedIn(vcpu: number, pcpu: number, now: Ns): void {
    this.#books.schedIn(vcpu, pcpu, now);
    for (const property of this.properties) property.schedIn(vcpu, pcpu, now);
  }

  registered(vcpu: number, base: number): void {
    this.#books.registered(vcpu, base);
    for (const property of this.properties) property.registered(vcpu, base);
  }

  unregistered(vcpu: number): void {
    this.#books.unregistered(vcpu);
    for (const property of this.properties) property.unregistered(vcpu);
  }

  published(vcpu: number, version: number, stealNs: Ns, now: Ns): void {
    this.#books.published(vcpu, version);
    for (const property of this.properties) property.published(vcpu, version, stealNs, now);
  }

  moved(offersSteal: boolean, now: Ns): void {
    this.#books.moved(offersSteal);
    for (const property of this.properties) property.moved(offersSteal, now);
  }

  told(vcpu: number, guest: GuestCpu, now: Ns): void {
    this.#guests.told(vcpu, guest, now);
    for (const property of this.properties) property.told(vcpu, guest, now);
  }

  instantOver(now: Ns): void {
    for (const property of this.properties) property.instantOver(now);
  }

  stopping(now: Ns): void {
    for (const property of this.properties) property.stopping(now);
  }

  finished(result: RunResult): void {
    const now = result.config.startAtNs + result.elapsedNs;
    this.#books.close(now);
    this.#guests.finished(now);
    for (const property of this.properties) property.finished(result, now);
  }
}

function propertiesOf(scenario: Scenario, ram: Int32Array, books: RunChecker, guests: GuestWitness): Property[] {
  const { startAtNs, vcpus } = scenario;
  const { witnesses } = books;
  const queues = new RunQueues(scenario);
  return [
    new Placement(queues, vcpus.length, startAtNs),
    new Fairness(queues, witnesses),
    new WaitBound(queues, witnesses, startAtNs),
    new WorkConservation(scenario, queues, witnesses),
    new Standstill(scenario, witnesses),
    new Wakeups(scenario, witnesses, guests),
    new PageWrites(scenario, ram, witnesses),
    new PageSurroundings(scenario, ram),
    new ClockAccuracy(scenario, guests),
    new TickCount(guests),
    new GuestBooks(scenario, ram, guests),
    new Softlockups(scenario, witnesses, guests),
    new GuestStopped(scenario, ram, witnesses, guests),
  ];
}
