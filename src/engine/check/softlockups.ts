import type { GuestCpu } from "../../guest/guest-cpu.js";
import { OutState } from "../../host/sched-notifier.js";
import { NS_PER_MS, type Ns, tickNsecOf } from "../../shared/units.js";
import type { RunResult } from "../result.js";
import type { Scenario } from "../scenario.js";
import type { GuestWitness } from "./guest-witness.js";
import { overrunNsOf } from "./overrun.js";
import { Property } from "./property.js";
import type { VcpuWitness } from "./run-checker.js";

/** Steal is seen in whole ms, so a difference of it can be short by one; and clocks err by some cycles. */
const SEEN_LATE_NS = NS_PER_MS + 1_000;

/** What was seen of one vCPU. */
interface Watch {
  /** Its watchdog was started over no earlier than this. */
  since: Ns;
  /** Started over because the machine had been stopped, not because the vCPU came online or the run began. */
  afterStop: boolean;
  ranBeforeNs: Ns;
  reportedBefore: number;
  reported: number;
  /** The longest time that it waited for a pCPU without being entered, and the present one. */
  longestWaitNs: Ns;
  waitedNs: Ns;
  waitsSince: Ns | null;
}

/**
 * The softlockup watchdog reports whom it should. A task that lets the watchdog's run is never reported while its waits are short,
 * nor at all where every wait is seen as steal in time. One that never does is, once it has run for long enough.
 */
export class Softlockups extends Property {
  readonly name = "the watchdog reports who is stuck and nobody else";
  readonly #scenario: Scenario;
  readonly #witnesses: readonly VcpuWitness[];
  readonly #guests: GuestWitness;
  readonly #watches: readonly Watch[];
  /** How much later than it should the watchdog may know of something. */
  readonly #lateNs: Ns;

  constructor(scenario: Scenario, witnesses: readonly VcpuWitness[], guests: GuestWitness) {
    super();
    const { startAtNs } = scenario;
    this.#scenario = scenario;
    this.#witnesses = witnesses;
    this.#guests = guests;
    this.#lateNs = SEEN_LATE_NS + overrunNsOf(scenario);
    this.#watches = witnesses.map(() => ({
      since: startAtNs,
      afterStop: false,
      ranBeforeNs: 0,
      reportedBefore: 0,
      reported: 0,
      longestWaitNs: 0,
      waitedNs: 0,
      waitsSince: startAtNs,
    }));
  }

  override schedOut(vcpu: number, state: OutState, now: Ns): void {
    const watch = this.#watches[vcpu];
    watch.waitedNs = 0;
    watch.waitsSince = state === OutState.Wait ? now : null;
  }

  override woken(vcpu: number, now: Ns): void {
    this.#watches[vcpu].waitsSince = now;
  }

  override suspended(vcpu: number, now: Ns): void {
    this.#endWait(this.#watches[vcpu], now);
  }

  override schedIn(vcpu: number, _pcpu: number, now: Ns): void {
    const watch = this.#watches[vcpu];
    this.#endWait(watch, now);
    watch.longestWaitNs = Math.max(watch.longestWaitNs, watch.waitedNs);
    // Without a page a guest can't be told that it was stopped.
    if (this.#guests.vcpus[vcpu].stopped && this.#hasPage(vcpu)) this.#startOver(vcpu, now, true);
  }

  override told(vcpu: number, { watchdog }: GuestCpu, now: Ns): void {
    const watch = this.#watches[vcpu];
    if (watchdog.reported > watch.reported) this.#judgeReport(vcpu, watch, now);
    watch.reported = watchdog.reported;
    if (this.#guests.vcpus[vcpu].wasOffline) this.#startOver(vcpu, now, false);
  }

  override finished(_result: RunResult, now: Ns): void {
    for (const vcpu of this.#watches.keys()) this.#judgeSilence(vcpu, now);
  }

  #endWait(watch: Watch, now: Ns): void {
    if (watch.waitsSince !== null) watch.waitedNs += now - watch.waitsSince;
    watch.waitsSince = null;
  }

  #hasPage(vcpu: number): boolean {
    return this.#witnesses[vcpu].log.base >= 0;
  }

  /** Its watchdog counts from here, or from its first tick after this. */
  #startOver(vcpu: number, now: Ns, afterStop: boolean): void {
    this.#judgeSilence(vcpu, now);
    const watch = this.#watches[vcpu];
    watch.since = now;
    watch.afterStop = afterStop;
    watch.ranBeforeNs = this.#witnesses[vcpu].runNsAt(now);
    watch.reportedBefore = watch.reported;
  }

  #isStuck(vcpu: number): boolean {
    return this.#scenario.vcpus[vcpu].workload.kind === "stuck";
  }

  #judgeReport(vcpu: number, watch: Watch, now: Ns): void {
    this.exercised++;
    const { thresholdNs, periodNs } = this.#scenario.watchdog;
    const report = `vCPU ${vcpu}: softlockup reported at ${now}`;
    if (now - watch.since + this.#lateNs < thresholdNs)
      this.report(`${report}, ${now - watch.since} ns after its start`);
    const stealIsSeen = seesSteal(this.#scenario) && this.#hasPage(vcpu);
    if (this.#isStuck(vcpu)) {
      const ranNs = this.#witnesses[vcpu].runNsAt(now) - watch.ranBeforeNs;
      if (stealIsSeen && ranNs + this.#lateNs < thresholdNs) this.report(`${report}, it had run for ${ranNs} ns`);
      return;
    }
    const ownNs = periodNs + this.#lateNs;
    if (stealIsSeen && ownNs <= thresholdNs) this.report(`${report} though it lets the watchdog's task run`);
    const toldOfStops = this.#hasPage(vcpu) || this.#scenario.timeline.every(({ kind }) => kind === "offline");
    if (toldOfStops && ownNs + watch.longestWaitNs <= thresholdNs) {
      this.report(`${report}, it never waited longer than ${watch.longestWaitNs} ns`);
    }
  }

  /** Up to an instant at which its watchdog starts over, or the run ends. */
  #judgeSilence(vcpu: number, now: Ns): void {
    const watch = this.#watches[vcpu];
    const { watchdog, hz, update } = this.#scenario;
    if (!this.#isStuck(vcpu)) return;
    // Steal that its page was late to tell of is taken for new: it may cover any time after a stop.
    if (update.kind === "pcpu-change" && watch.afterStop) return;
    const ranNs = this.#witnesses[vcpu].runNsAt(now) - watch.ranBeforeNs;
    const limitNs = watchdog.thresholdNs + watchdog.periodNs + 2 * tickNsecOf(hz) + this.#lateNs;
    if (ranNs <= limitNs) return;
    this.exercised++;
    if (watch.reported > watch.reportedBefore) return;
    this.report(`vCPU ${vcpu} was stuck from ${watch.since} to ${now}, ran for ${ranNs} ns and was not reported`);
  }
}

/** The guest learns in time, and to the ms, of whatever keeps it out. */
function seesSteal({ watchdog, accounting, stealFeature, timeline, update }: Scenario): boolean {
  const everywhere = timeline.every((event) => event.kind !== "migrate" || event.stealFeature);
  const told = stealFeature && everywhere && update.kind !== "pcpu-change";
  return watchdog.mode === "steal-aware" && accounting !== "none" && told;
}
