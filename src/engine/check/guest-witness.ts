import type { GuestCpu } from "../../guest/guest-cpu.js";
import { OutState } from "../../host/sched-notifier.js";
import { ExitReason } from "../../shared/kvm-abi.js";
import { type Ns, tickNsecOf } from "../../shared/units.js";
import type { Scenario } from "../scenario.js";

/** What a guest CPU had been doing when it was told the time, and how many deadlines of its tick grid had passed since it was last. */
export class VcpuTiming {
  readonly #firstTick: Ns;
  readonly #tickNsec: Ns;
  #countedTo: Ns;
  /** Its grid's deadlines since it was told the time before this. */
  deadlines = 0;
  /** Between the two it was halted, as the host saw it. */
  wasHalted = false;
  /** Between the two it was offline. */
  wasOffline = false;
  /** As of now it is. */
  offline = false;
  /** It is out, or was until just now, because the whole machine was stopped. */
  stopped = false;
  #haltedSince = false;

  constructor(startNs: Ns, phaseNs: Ns, tickNsec: Ns) {
    this.#firstTick = startNs + (phaseNs > 0 ? phaseNs : tickNsec);
    this.#tickNsec = tickNsec;
    this.#countedTo = startNs;
  }

  halted(): void {
    this.#haltedSince = true;
  }

  /** Counts on to an instant at which it is told the time, or the run ends. */
  countTo(now: Ns): void {
    this.deadlines = this.#passedBy(now) - this.#passedBy(this.#countedTo);
    this.#countedTo = now;
    this.wasHalted = this.#haltedSince;
    this.#haltedSince = false;
    this.wasOffline = this.offline;
  }

  #passedBy(now: Ns): number {
    return now < this.#firstTick ? 0 : Math.floor((now - this.#firstTick) / this.#tickNsec) + 1;
  }
}

/** Keeps the guests' tick grids by itself, from the scenario and from when the guests were told the time. */
export class GuestWitness {
  readonly vcpus: readonly VcpuTiming[];

  constructor({ vcpus, hz, startAtNs }: Scenario) {
    this.vcpus = vcpus.map(({ tickPhaseNs }) => new VcpuTiming(startAtNs, tickPhaseNs, tickNsecOf(hz)));
  }

  schedOut(vcpu: number, state: OutState): void {
    const timing = this.vcpus[vcpu];
    if (state === OutState.Halt) timing.halted();
    timing.stopped = state === OutState.Offline && !timing.offline;
  }

  suspended(vcpu: number): void {
    this.vcpus[vcpu].stopped = true;
  }

  told(vcpu: number, guest: GuestCpu, now: Ns): void {
    const timing = this.vcpus[vcpu];
    timing.countTo(now);
    timing.stopped = false;
    timing.offline = guest.exitReason === ExitReason.Offline;
  }

  finished(now: Ns): void {
    for (const timing of this.vcpus) timing.countTo(now);
  }
}
