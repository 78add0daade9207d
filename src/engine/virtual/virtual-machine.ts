import { guestMachineOf } from "../../guest/build-guest-cpu.js";
import type { GuestCpu } from "../../guest/guest-cpu.js";
import { guestRamBytes } from "../../guest/kernel-data.js";
import { HostCommand } from "../../host/command-ring.js";
import type { FairHost } from "../../host/fair-host.js";
import type { HostObserver } from "../../host/pvclock-publisher.js";
import { AUDIT_RING_WORDS, AuditRing } from "../../shared/audit-ring.js";
import { DeadlineHeap } from "../../shared/deadline-heap.js";
import { StealclockError } from "../../shared/errors.js";
import type { Hypercalls } from "../../shared/kvm-abi.js";
import { allocateMemory, protocolOf, ramOf } from "../../shared/machine-memory.js";
import { Tsc } from "../../shared/tsc.js";
import { type Ns, tickNsecOf } from "../../shared/units.js";
import { assembleResult, sampleOf } from "../assemble-result.js";
import { buildChecker, buildHost } from "../build-host.js";
import { type ClockMaximum, ClockMonitor } from "../check/clock-monitor.js";
import type { RunChecker } from "../check/run-checker.js";
import { idleInProgressNs } from "../idle-in-progress.js";
import { fillPageMemory } from "../page-memory.js";
import type { RunResult, Sample } from "../result.js";
import type { Scenario } from "../scenario.js";
import { reportOf } from "../vcpu-report.js";
import { Grants } from "./grants.js";
import { GuestCpus } from "./guest-cpus.js";
import { vcpuStreams } from "./random-streams.js";

/** Nothing takes time here that is not said to. */
const NO_COST = { tickNs: null, pageReadNs: null };

/** More events than this at one instant, for each party to it, and no more time will ever pass: a defect. */
const MAX_EVENTS_AN_INSTANT = 64;

/** Hears what the guests do, where the driver sees it. */
export interface GuestObserver {
  /** A guest CPU was told the time: it may have taken ticks or reported a lockup. The object is that vCPU during the call only. */
  told(vcpu: number, guest: GuestCpu, now: Ns): void;
}

/** Hears of all that happens in a machine, on both sides. */
export type MachineObserver = HostObserver & GuestObserver;

export interface VirtualMachineOptions {
  /** false: no checkers, for speed. */
  readonly checks?: boolean;
  /** With checks: one in so many times that a guest is told the time its clock is read once more and watched, 1 to 255 (4). */
  readonly watchInterval?: number;
  /** Every consistent read of a page is audited (none). */
  readonly checkProtocol?: boolean;
  /** The protocol's WebAssembly module; null for Atomics (null). */
  readonly protocolModule?: WebAssembly.Module | null;
  readonly observer?: MachineObserver;
  /** Makes another one, which looks at the pages as well: it is given guest RAM before the first page is registered. */
  readonly observerOf?: (ram: Int32Array) => MachineObserver;
}

/** The largest reading in a machine of one thread. */
class PlainClockMaximum implements ClockMaximum {
  #ns: Ns = 0;

  load(): Ns {
    return this.#ns;
  }

  raise(ns: Ns): void {
    if (ns > this.#ns) this.#ns = ns;
  }
}

/**
 * One FairHost and its guests over one virtual clock: a discrete-event loop. The earliest of all deadlines is next; its owner
 * is told that instant, and what the host commands upon it is carried out before anything else. At one instant guests go
 * before the host, in order of their numbers; the host's own deadlines in order of their slots. So a run repeats itself.
 */
export class VirtualMachine {
  readonly scenario: Scenario;
  readonly ram: Int32Array;
  readonly host: FairHost;
  /** null without checks. */
  readonly checker: RunChecker | null;
  /** t0: guests boot at this instant, and time counts from it. */
  readonly startNs: Ns;
  now: Ns;
  /** Deadlines served so far: one each, with all that followed. */
  eventCount = 0;
  /** Called at the end of every instant, when all of its commands are carried out. */
  onInstant: ((now: Ns) => void) | null = null;

  readonly #guests: GuestCpus;
  readonly #grants: Grants;
  /** Of each vCPU's clock; null without checks. */
  readonly #monitors: readonly ClockMonitor[] | null;
  readonly #watchInterval: number;
  readonly #untilWatch: Uint8Array;
  /** One slot for each vCPU that has a pCPU. */
  readonly #deadlines: DeadlineHeap;
  readonly #tsc: Tsc;
  readonly #observers: readonly GuestObserver[];
  readonly #maxEventsAnInstant: number;
  #eventsThisInstant = 0;

  constructor(scenario: Scenario, options: VirtualMachineOptions = {}) {
    const { checks = true, watchInterval = 4, checkProtocol = false, observer, observerOf } = options;
    const { vcpus, startAtNs, chance } = scenario;
    this.scenario = scenario;
    this.startNs = startAtNs;
    this.now = startAtNs;
    const memory = allocateMemory(guestRamBytes(vcpus.length), THREADS, options.protocolModule ?? null);
    this.ram = ramOf(memory);
    fillPageMemory(this.ram, scenario);
    this.checker = checks ? buildChecker(scenario, this.ram) : null;
    this.#tsc = new Tsc(scenario.tscKhz);
    const given = [observer, observerOf?.(this.ram)].filter((one) => one !== undefined);
    const observers = this.checker === null ? given : [this.checker, ...given];
    const auditOf = checkProtocol ? auditsOf(vcpus.length) : () => null;
    const protocol = protocolOf(memory, 0);
    const built = buildHost(scenario, this.ram, { auditOf, protocol, tsc: this.#tsc, observers });
    if (built.kind !== "fair") {
      throw new StealclockError("bad-input", "the virtual engine has no real machine for a linux host; accepted: fair");
    }
    this.host = built.host;
    this.#observers = given;
    const byChance = chance.jitterPercent > 0 || chance.wakeLatencyNs > 0 || chance.hostNoiseNs > 0;
    const streams = byChance ? vcpuStreams(scenario.seed, vcpus.length) : [];
    const clockMaximum = new PlainClockMaximum();
    this.#guests = new GuestCpus({
      scenario,
      machine: guestMachineOf({
        ram: this.ram,
        protocol,
        cpuCount: vcpus.length,
        clock: { nowNs: () => this.now },
        tsc: this.#tsc,
        auditOf,
        auditsEveryRead: checkProtocol,
      }),
      random: chance.jitterPercent > 0 ? streams : [],
      hypercallsOf: (selected) => this.#hypercallsOf(selected),
    });
    this.#grants = new Grants(vcpus.length, chance, streams);
    this.#watchInterval = watchInterval;
    this.#untilWatch = new Uint8Array(vcpus.length).fill(watchInterval);
    this.#monitors = checks ? vcpus.map(() => new ClockMonitor(clockMaximum)) : null;
    this.#deadlines = new DeadlineHeap(vcpus.length);
    this.#maxEventsAnInstant = MAX_EVENTS_AN_INSTANT * (vcpus.length + scenario.pcpus + scenario.hostTasks.length + 2);
    this.#begin();
  }

  /** Each guest CPU, for whoever looks at them from outside. */
  get guests(): readonly GuestCpu[] {
    return this.#guests.each;
  }

  /** What a vCPU asks of its host, at the present instant. */
  hypercallsOf(vcpu: number): Hypercalls {
    return this.#hypercallsOf({ cpu: vcpu });
  }

  /**
   * Serves every deadline up to an instant, or so many of them.
   *
   * @param sinceStartNs the instant, from t0
   * @returns whether it has come to that instant
   */
  run(sinceStartNs: Ns, maxEvents = Number.POSITIVE_INFINITY): boolean {
    const untilNs = this.startNs + sinceStartNs;
    const { host } = this;
    for (let events = 0; events < maxEvents; events++) {
      const guestAt = this.#deadlines.earliest;
      const hostAt = host.nextDeadline;
      const instant = guestAt < hostAt ? guestAt : hostAt;
      if (instant > untilNs) {
        this.#passTo(untilNs);
        return true;
      }
      // A timer can be set when it is due already, and none of a suspended host's goes off: those are late, and time never goes back.
      if (instant > this.now) this.#passTo(instant);
      this.#countEvent();
      if (guestAt <= hostAt) this.#tell(this.#deadlines.earliestSlot);
      else host.serveEarliest(this.now);
      if (!host.commands.empty) this.#drainCommands();
    }
    return false;
  }

  /** Where the machine stands. */
  sample(): Sample {
    const tickNsec = tickNsecOf(this.scenario.hz);
    const guests = this.#guests.map(({ cpuTime: { userNs, systemNs, idleNs, stealNs }, idleInProgressFrom }) => {
      const inProgressNs = idleInProgressNs(idleInProgressFrom, this.now, tickNsec);
      return { userNs, systemNs, idleNs: idleNs + inProgressNs, stealNs };
    });
    return sampleOf(this.host, guests, this.startNs, this.now);
  }

  /** Ends the run here: takes every vCPU off its pCPU, closes the books and sets the guests beside the truth. */
  finish(stoppedEarly = false): RunResult {
    this.#stop();
    return assembleResult({
      scenario: this.scenario,
      bootNs: 0,
      elapsedNs: this.now - this.startNs,
      stoppedEarly,
      ram: this.ram,
      host: this.host,
      checker: this.checker,
      reports: this.#guests.map((guest, id) =>
        reportOf(guest, this.scenario.accounting, {
          clock: this.#monitors?.[id].figures() ?? NOT_MONITORED,
          cost: NO_COST,
          noiseMeasured: true,
        }),
      ),
      noiseNs: this.scenario.vcpus.map((_, id) => this.#grants.noiseNs(id)),
      onCpuNs: this.scenario.vcpus.map(() => null),
    });
  }

  #hypercallsOf(selected: { readonly cpu: number }): Hypercalls {
    return {
      cpuid: (leaf, out) => this.host.cpuid(leaf, out),
      writeMsr: (index, value) => this.host.writeMsr(selected.cpu, index, value, this.now),
    };
  }

  #begin(): void {
    const { vcpus } = this.scenario;
    vcpus.forEach(({ tickPhaseNs }, id) => {
      this.#guests.select(id).begin(this.startNs, tickPhaseNs);
    });
    this.checker?.begin(this.startNs);
    this.host.begin(this.startNs);
    this.#drainCommands();
  }

  #stop(): void {
    this.host.stop(this.now);
    this.#drainCommands();
    while (!this.host.quiescent) {
      this.#passTo(this.#deadlines.earliest);
      this.#countEvent();
      this.#tell(this.#deadlines.earliestSlot);
      this.#drainCommands();
    }
    for (let id = 0; id < this.#guests.count; id++) this.#guests.select(id).finish(this.now);
    this.host.ledger.close(this.now);
    this.checker?.close(this.now);
  }

  #passTo(instant: Ns): void {
    if (this.onInstant !== null && instant > this.now) this.onInstant(this.now);
    this.now = instant;
    this.#eventsThisInstant = 0;
  }

  #countEvent(): void {
    this.eventCount++;
    if (++this.#eventsThisInstant > this.#maxEventsAnInstant) {
      throw new RangeError(`no time passes after ${this.now - this.startNs} ns: a defect of a host or guest rule`);
    }
  }

  #tell(id: number): void {
    const guest = this.#guests.select(id);
    if (this.#grants.hasEntered(id)) {
      guest.advance(this.now);
    } else {
      this.#grants.entered(id, this.now);
      guest.enter(this.now);
    }
    if (this.#monitors !== null && --this.#untilWatch[id] === 0) {
      this.#untilWatch[id] = this.#watchInterval;
      this.#monitors[id].watch(guest.time, this.now);
    }
    for (let i = 0; i < this.#observers.length; i++) this.#observers[i].told(id, guest, this.now);
    if (guest.wantsOut || this.#grants.leaveAt(id) <= this.now) this.#leave(id, guest);
    else this.#deadlines.set(id, Math.min(guest.nextDeadline, this.#grants.leaveAt(id)));
  }

  #leave(id: number, guest: GuestCpu): void {
    guest.leave(this.now);
    this.#grants.left(id, this.now);
    this.#deadlines.clear(id);
    this.host.exited(id, guest.exitReason, guest.wakeAt, this.now);
  }

  /** Carries out what the host decided, and what it decides upon that. */
  #drainCommands(): void {
    const { commands } = this.host;
    while (!commands.empty) {
      const { vcpu, command } = commands;
      commands.drop();
      if (command === HostCommand.Grant) this.#grant(vcpu);
      // A kick that crossed the vCPU's exit finds it gone.
      else if (this.#grants.isGranted(vcpu)) this.#kick(vcpu);
    }
  }

  #grant(id: number): void {
    this.#grants.grant(id, this.now);
    const enterAt = this.#grants.enterAt(id);
    if (enterAt === this.now) this.#tell(id);
    else this.#deadlines.set(id, enterAt);
  }

  #kick(id: number): void {
    this.#grants.kick(id, this.now);
    // It leaves once it has entered, which its deadline says when.
    if (!this.#grants.hasEntered(id)) return;
    const leaveAt = this.#grants.leaveAt(id);
    if (leaveAt === this.now) this.#tell(id);
    else this.#deadlines.set(id, Math.min(this.#guests.select(id).nextDeadline, leaveAt));
  }
}

/** Host and guests are one thread, and share one protocol: nobody reads while a page is written. */
const THREADS = 1;

const NOT_MONITORED = { monitored: 0, rawBackwardSteps: 0, maxRawBackwardNs: 0, backwardSteps: 0 };

/** An audit ring for each vCPU, which host and guests in one thread need not share with another. */
function auditsOf(vcpuCount: number): (vcpu: number) => AuditRing {
  const words = new Int32Array(vcpuCount * AUDIT_RING_WORDS);
  const audits = Array.from({ length: vcpuCount }, (_, vcpu) => new AuditRing(words, vcpu * AUDIT_RING_WORDS));
  return (vcpu) => audits[vcpu];
}
