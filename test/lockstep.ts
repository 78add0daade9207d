import { assembleResult } from "../src/engine/assemble-result.js";
import { buildHost } from "../src/engine/build-host.js";
import { ClockMonitor } from "../src/engine/check/clock-monitor.js";
import type { RunChecker } from "../src/engine/check/run-checker.js";
import { guestCpuConfigOf } from "../src/engine/guest-config.js";
import type { RunResult } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { reportOf } from "../src/engine/vcpu-report.js";
import { bootGuestCpu } from "../src/guest/build-guest-cpu.js";
import type { GuestCpu } from "../src/guest/guest-cpu.js";
import { guestRamBytes } from "../src/guest/kernel-data.js";
import { HostCommand } from "../src/host/command-ring.js";
import type { FairHost } from "../src/host/fair-host.js";
import { NEVER } from "../src/shared/deadline-heap.js";
import { ExitReason, type Hypercalls } from "../src/shared/kvm-abi.js";
import { TscFrequency } from "../src/shared/tsc.js";
import type { Ns } from "../src/shared/units.js";

/** Nothing takes time here. */
const NO_COST = { tickNs: null, pageReadNs: null };

export interface LockstepOptions {
  /** When the guests boot, and the run's t0. */
  readonly startNs?: Ns;
  /** How late the next grant and the next kick reach a vCPU, as on a real machine. Asked once for each. */
  readonly grantLatencyNs?: () => Ns;
  readonly kickLatencyNs?: () => Ns;
}

/** A guest CPU between its host's commands. */
class DrivenVcpu {
  readonly monitor: ClockMonitor;
  granted = false;
  /** When the grant reaches it; NEVER once it has entered. */
  enterAt: Ns = NEVER;
  /** When the kick reaches it; NEVER while it was not kicked. */
  leaveAt: Ns = NEVER;

  constructor(
    readonly guest: GuestCpu,
    clockMaximum: BigInt64Array,
  ) {
    this.monitor = new ClockMonitor(clockMaximum, 0);
  }

  get nextDeadline(): Ns {
    if (!this.granted) return NEVER;
    return this.enterAt !== NEVER ? this.enterAt : Math.min(this.leaveAt, this.guest.nextDeadline);
  }
}

/**
 * One FairHost and its guests over one virtual clock, each told the exact time of each of its deadlines. At one instant
 * guests go before the host, in order of their numbers: what was commanded is done before the host decides more.
 */
export class Lockstep {
  readonly ram: Int32Array;
  readonly host: FairHost;
  readonly checker: RunChecker;
  readonly guests: readonly GuestCpu[];
  readonly startNs: Ns;
  now: Ns;
  /** Called at the end of every instant, when all of its commands are carried out. */
  onInstant: (now: Ns) => void = () => {};
  readonly #vcpus: readonly DrivenVcpu[];

  constructor(
    readonly scenario: Scenario,
    readonly options: LockstepOptions = {},
  ) {
    this.startNs = options.startNs ?? 0;
    this.now = this.startNs;
    this.ram = new Int32Array(new SharedArrayBuffer(guestRamBytes(scenario.vcpus.length)));
    const built = buildHost(scenario, this.ram, () => null);
    if (built.kind !== "fair") throw new TypeError("lock-step drives the fair host only");
    this.host = built.host;
    this.checker = built.checker;
    this.guests = scenario.vcpus.map((_, id) => this.#boot(id));
    const clockMaximum = new BigInt64Array(new SharedArrayBuffer(8));
    this.#vcpus = this.guests.map((guest) => new DrivenVcpu(guest, clockMaximum));
    this.guests.forEach((guest, id) => {
      guest.begin(this.startNs, scenario.vcpus[id].tickPhaseNs);
    });
    this.checker.begin(this.startNs);
    this.host.begin(this.startNs);
    this.#drainCommands();
  }

  /** What a vCPU asks of its host, at the present instant. */
  hypercallsOf(vcpu: number): Hypercalls {
    return {
      cpuid: (leaf, out) => this.host.cpuid(leaf, out),
      writeMsr: (index, value) => this.host.writeMsr(vcpu, index, value, this.now),
    };
  }

  /** Does all that is due until so long after t0. */
  runUntil(sinceStartNs: Ns): void {
    const untilNs = this.startNs + sinceStartNs;
    while (this.#nextInstant() <= untilNs) this.#step();
    this.now = untilNs;
    // Those that run have run up to here, whether or not anything was due.
    for (const { guest, granted, enterAt } of this.#vcpus) if (granted && enterAt === NEVER) guest.advance(untilNs);
  }

  /** Runs to the end, takes every vCPU off its pCPU, closes the books and sets the guests beside the truth. */
  finish(): RunResult {
    this.runUntil(this.scenario.durationNs);
    this.host.stop(this.now);
    this.#drainCommands();
    while (!this.host.quiescent) this.#step();
    for (const guest of this.guests) guest.finish(this.now);
    this.host.ledger.close(this.now);
    this.checker.close(this.now);
    return assembleResult({
      scenario: this.scenario,
      bootNs: this.startNs,
      elapsedNs: this.now - this.startNs,
      stoppedEarly: false,
      ram: this.ram,
      host: this.host,
      checker: this.checker,
      reports: this.#vcpus.map(({ guest, monitor }) =>
        reportOf(guest, this.scenario.accounting, { clock: monitor.figures(), cost: NO_COST, noiseMeasured: false }),
      ),
      noiseNs: this.#vcpus.map(() => null),
      onCpuNs: this.#vcpus.map(() => null),
    });
  }

  #boot(id: number): GuestCpu {
    const { vcpus, tscKhz } = this.scenario;
    const machine = {
      ram: this.ram,
      cpuCount: vcpus.length,
      clock: { nowNs: () => this.now },
      tscFrequency: new TscFrequency(tscKhz),
      hypercalls: this.hypercallsOf(id),
      auditOf: () => null,
    };
    return bootGuestCpu(machine, guestCpuConfigOf(this.scenario, id));
  }

  #nextInstant(): Ns {
    return this.#vcpus.reduce((earliest, vcpu) => Math.min(earliest, vcpu.nextDeadline), this.host.nextDeadline);
  }

  #step(): void {
    const instant = this.#nextInstant();
    if (instant > this.now) this.onInstant(this.now);
    this.now = instant;
    const id = this.#vcpus.findIndex((vcpu) => vcpu.nextDeadline <= instant);
    if (id < 0) this.host.advance(instant);
    else this.#tell(id, this.#vcpus[id]);
    this.#drainCommands();
  }

  #tell(id: number, vcpu: DrivenVcpu): void {
    const { now } = this;
    const { guest, monitor, enterAt } = vcpu;
    vcpu.enterAt = NEVER;
    if (enterAt <= now) guest.enter(now);
    else guest.advance(now);
    const before = monitor.before();
    const guardedNs = guest.time.nowNs(now);
    if (guest.time.registered) monitor.after(before, guest.time.kvmclock.rawNs, guardedNs);
    if (!guest.wantsHalt && vcpu.leaveAt > now) return;
    guest.leave(now);
    vcpu.granted = false;
    vcpu.leaveAt = NEVER;
    this.host.exited(id, guest.wantsHalt ? ExitReason.Halted : ExitReason.Kicked, guest.wakeAt, now);
  }

  #drainCommands(): void {
    const { commands } = this.host;
    const { grantLatencyNs, kickLatencyNs } = this.options;
    for (; !commands.empty; commands.drop()) {
      const vcpu = this.#vcpus[commands.vcpu];
      if (commands.command === HostCommand.Grant) {
        vcpu.granted = true;
        vcpu.enterAt = this.now + (grantLatencyNs?.() ?? 0);
      } else if (vcpu.granted) {
        vcpu.leaveAt = this.now + (kickLatencyNs?.() ?? 0);
      }
    }
  }
}

/** Runs a scenario from end to end. */
export function runLockstep(scenario: Scenario, options: LockstepOptions = {}): RunResult {
  return new Lockstep(scenario, options).finish();
}
