import type { GuestCpu } from "../../guest/guest-cpu.js";
import { OutState } from "../../host/sched-notifier.js";
import { NEVER } from "../../shared/deadline-heap.js";
import type { Ns } from "../../shared/units.js";
import type { Scenario, TimelineEvent } from "../scenario.js";
import type { GuestWitness } from "./guest-witness.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";
import { type Stop, stopsOf } from "./stops.js";

/** What one vCPU sleeps for. */
interface Sleeper {
  /** When it is to be woken; null while it does not sleep. */
  wakeAt: Ns | null;
  /** Since when its watchdog's period counts. */
  watchdogSince: Ns;
  /** How much it had run when its last burst began. */
  ranBeforeNs: Ns;
  /** When it is to be offline, what of it is not over. */
  readonly offlines: TimelineEvent[];
}

/**
 * Only a vCPU whose workload sleeps halts, a duty cycle after just its burst; and it is woken when its timer says: at its next period, its
 * watchdog's, or when it is to go offline. One that is offline comes back when it is wanted. Nothing is ever early, and
 * late only when the machine stood still.
 */
export class Wakeups extends Property {
  readonly name = "sleepers are woken when their timers say";
  readonly #scenario: Scenario;
  readonly #witnesses: readonly VcpuWitness[];
  readonly #guests: GuestWitness;
  readonly #stops: readonly Stop[];
  readonly #sleepers: readonly Sleeper[];

  constructor(scenario: Scenario, witnesses: readonly VcpuWitness[], guests: GuestWitness) {
    super();
    this.#scenario = scenario;
    this.#witnesses = witnesses;
    this.#guests = guests;
    this.#stops = stopsOf(scenario);
    this.#sleepers = witnesses.map((_, vcpu) => ({
      wakeAt: null,
      watchdogSince: scenario.startAtNs,
      ranBeforeNs: 0,
      offlines: scenario.timeline.filter((event) => event.kind === "offline" && event.vcpu === vcpu),
    }));
  }

  override told(vcpu: number, _guest: GuestCpu, now: Ns): void {
    if (!this.#guests.vcpus[vcpu].wasOffline) return;
    const sleeper = this.#sleepers[vcpu];
    sleeper.watchdogSince = now;
    sleeper.offlines.shift();
  }

  override schedOut(vcpu: number, state: OutState, now: Ns): void {
    const sleeper = this.#sleepers[vcpu];
    if (state === OutState.Halt) {
      this.#checkBurst(vcpu, sleeper, now);
      sleeper.wakeAt = Math.min(
        this.#boundaryAfter(vcpu, now),
        this.#sampleAfter(sleeper, now),
        this.#offlineAt(sleeper),
      );
    } else if (state === OutState.Offline && this.#guests.vcpus[vcpu].offline) {
      this.#checkOffline(vcpu, sleeper, now);
    }
  }

  override woken(vcpu: number, now: Ns): void {
    const sleeper = this.#sleepers[vcpu];
    const { wakeAt } = sleeper;
    sleeper.wakeAt = null;
    if (wakeAt === null) return;
    this.exercised++;
    if (now < wakeAt || now > this.#latest(wakeAt)) this.report(`vCPU ${vcpu} was woken at ${now}, due was ${wakeAt}`);
  }

  override stopping(now: Ns): void {
    for (const [vcpu, { wakeAt }] of this.#sleepers.entries()) {
      if (wakeAt !== null && now > this.#latest(wakeAt)) {
        this.report(`vCPU ${vcpu} sleeps at the end, at ${now}, it should have been woken at ${wakeAt}`);
      }
    }
  }

  /** When it is woken that should be at an instant, if the machine stood still then. */
  #latest(wakeAt: Ns): Ns {
    let latest = wakeAt;
    for (const { fromNs, toAtLatestNs } of this.#stops)
      if (fromNs <= latest && latest < toAtLatestNs) latest = toAtLatestNs;
    return latest;
  }

  #boundaryAfter(vcpu: number, now: Ns): Ns {
    const { workload } = this.#scenario.vcpus[vcpu];
    if (workload.kind !== "duty") return NEVER;
    const sinceStartNs = now - this.#scenario.startAtNs;
    return now + workload.periodNs - (sinceStartNs % workload.periodNs);
  }

  #sampleAfter({ watchdogSince }: Sleeper, now: Ns): Ns {
    const { periodNs } = this.#scenario.watchdog;
    return now + periodNs - ((now - watchdogSince) % periodNs);
  }

  #offlineAt({ offlines }: Sleeper): Ns {
    return offlines.length === 0 ? NEVER : this.#scenario.startAtNs + offlines[0].atNs;
  }

  #checkOffline(vcpu: number, sleeper: Sleeper, now: Ns): void {
    const offlineAt = this.#offlineAt(sleeper);
    if (now < offlineAt) this.report(`vCPU ${vcpu} went offline at ${now}, due was ${offlineAt}`);
    // It may have noticed late, even when it was to be online again.
    sleeper.wakeAt = Math.max(now, offlineAt + (sleeper.offlines[0]?.forNs ?? 0));
  }

  /** What it ran since its last burst is nothing (something else had woken it), or just its burst. */
  #checkBurst(vcpu: number, sleeper: Sleeper, now: Ns): void {
    const { workload } = this.#scenario.vcpus[vcpu];
    const { jitterPercent, wakeLatencyNs } = this.#scenario.chance;
    if (workload.kind === "duty") {
      const { runNs } = this.#witnesses[vcpu];
      const ranNs = runNs - sleeper.ranBeforeNs;
      sleeper.ranBeforeNs = runNs;
      const strayNs = Math.floor((workload.busyNs * jitterPercent) / 100);
      // The guest does not know of the time that a grant takes to reach it.
      if (wakeLatencyNs > 0 || ranNs === 0 || Math.abs(ranNs - workload.busyNs) <= strayNs) return;
      this.report(`vCPU ${vcpu} halted at ${now} after ${ranNs} ns, its burst is ${workload.busyNs} ns`);
    } else if (workload.kind !== "idle") {
      this.report(`vCPU ${vcpu} halted at ${now}, and ${workload.kind} never does`);
    }
  }
}
