import type { GuestCpu } from "../../guest/guest-cpu.js";
import { NS_PER_MS, type Ns } from "../../shared/units.js";
import { ClockMonitor } from "../check/clock-monitor.js";
import type { CostFigures } from "../result.js";
import { reportOf, type VcpuReport } from "../vcpu-report.js";
import { CLOCK_MAXIMUM_LONG, type ControlMemory } from "./control-memory.js";
import { CostMeter } from "./cost-meter.js";
import { dieWhenDue } from "./fault.js";
import { GuestFiguresWriter } from "./guest-figures.js";
import type { VcpuTask } from "./messages.js";
import { measureClockCostNs, type RealClock } from "./real-clock.js";
import { RealCpu } from "./real-cpu.js";
import { Schedstat } from "./schedstat.js";
import { SharedClockMaximum } from "./shared-clock-maximum.js";
import type { GuestGate } from "./vcpu-gate.js";

/** Every so many quanta: a remote page, a monitored clock reading, a timed batch of page reads, fresh figures. */
const REMOTE_INTERVAL = 8;
const MONITOR_INTERVAL = 4;
const COST_INTERVAL = 512;
const COST_BATCH = 16;
const FIGURES_INTERVAL_NS = 50 * NS_PER_MS;

export interface VcpuLoopParts {
  readonly task: VcpuTask;
  readonly control: ControlMemory;
  readonly gate: GuestGate;
  readonly clock: RealClock;
  readonly guest: GuestCpu;
  readonly measureNoise: boolean;
  readonly threadId: number;
}

/** The real driver's guest end: tells a GuestCpu the time while its gate is open. Thin; every rule is elsewhere. */
export class VcpuLoop {
  readonly #parts: VcpuLoopParts;
  readonly #gate: GuestGate;
  readonly #guest: GuestCpu;
  readonly #clock: RealClock;
  readonly #cpu: RealCpu;
  readonly #schedstat: Schedstat | null;
  readonly #monitor: ClockMonitor;
  readonly #tickCost = new CostMeter();
  readonly #readCost = new CostMeter();
  readonly #figures: GuestFiguresWriter;
  #figuresAt: Ns = 0;
  #quanta = 0;

  constructor(parts: VcpuLoopParts) {
    this.#parts = parts;
    this.#gate = parts.gate;
    this.#guest = parts.guest;
    this.#clock = parts.clock;
    this.#cpu = new RealCpu(parts.clock);
    this.#schedstat = parts.measureNoise ? Schedstat.open(parts.threadId) : null;
    this.#monitor = new ClockMonitor(new SharedClockMaximum(parts.control.longs, CLOCK_MAXIMUM_LONG));
    this.#figures = new GuestFiguresWriter(parts.control.words, parts.control.figuresOf(parts.task.cpu.id));
  }

  /** Until the host ends the run. */
  run(): void {
    const { control, task } = this.#parts;
    const granted = this.#awaitGrant();
    // Told to stop before the machine went live.
    if (!granted && control.startNs === 0) return;
    this.#guest.begin(control.startNs, task.tickPhaseNs);
    if (granted) {
      do {
        this.#runGranted();
      } while (this.#awaitGrant());
    }
    this.#guest.finish(control.endNs);
    this.#schedstat?.close();
  }

  /** A fault strikes a parked vCPU, too. */
  #awaitGrant(): boolean {
    return this.#parts.task.fault === null ? this.#gate.awaitGrant() : this.#gate.awaitGrant(() => this.#dieWhenDue());
  }

  #dieWhenDue(): void {
    const { control, task } = this.#parts;
    if (control.startNs > 0) dieWhenDue(task.fault, this.#clock.nowNs() - control.startNs);
  }

  /** One stay on a pCPU. */
  #runGranted(): void {
    let now = this.#clock.nowNs();
    this.#countNoise(now - this.#gate.grantedAt);
    this.#guest.enter(now);
    // At least one quantum, also when the kick was there before the thread woke: or a late machine would starve it.
    while (!this.#guest.wantsOut) {
      now = this.#runQuantum(now);
      if (this.#gate.kicked) break;
    }
    this.#guest.leave(now);
    this.#publishFigures(now);
    this.#countNoise(0);
    // Stamped last: on the linux host, what the thread waits from here on is no longer part of its run.
    const exitedAt = this.#clock.nowNs();
    this.#gate.exit(this.#guest.exitReason, this.#guest.wantsOut ? this.#guest.wakeAt : exitedAt, exitedAt);
  }

  #runQuantum(from: Ns): Ns {
    const now = this.#cpu.runUntil(this.#guest.nextDeadline, from);
    const tickDue = this.#guest.nextTick <= now;
    this.#guest.advance(now, this.#cpu.lastGapNs);
    if (tickDue) this.#tickCost.record(this.#clock.nowNs() - now);
    this.#readPages(now);
    dieWhenDue(this.#parts.task.fault, now - this.#parts.control.startNs);
    return tickDue ? this.#clock.nowNs() : now;
  }

  /** Between quanta the CPU's code reads the time, and now and then another CPU's page. */
  #readPages(now: Ns): void {
    this.#quanta++;
    if (this.#quanta % MONITOR_INTERVAL === 0) this.#monitor.watch(this.#guest.time, now);
    else this.#guest.time.nowNs(now);
    if (this.#quanta % REMOTE_INTERVAL === 0) this.#guest.time.readRemote();
    if (this.#quanta % COST_INTERVAL === 0) this.#measureReads();
    if (now - this.#figuresAt > FIGURES_INTERVAL_NS) this.#publishFigures(now);
  }

  #measureReads(): void {
    const before = this.#clock.nowNs();
    for (let read = 0; read < COST_BATCH; read++) if (!this.#guest.time.readOwn()) return;
    this.#readCost.record(this.#clock.nowNs() - before);
  }

  /**
   * Adds to the noise: what the thread waited for a real CPU since it was asked last, and a latency given.
   * A wait while parked is the wake-up latency, which the grant's latency contains.
   */
  #countNoise(grantLatencyNs: Ns): void {
    if (this.#schedstat === null) return;
    const before = this.#schedstat.runDelayNs;
    this.#schedstat.read();
    this.#gate.addNoise(grantLatencyNs > 0 ? grantLatencyNs : this.#schedstat.runDelayNs - before);
  }

  #publishFigures(now: Ns): void {
    this.#figuresAt = now;
    this.#figures.publish(this.#guest.cpuTime, this.#guest.idleInProgressFrom);
  }

  report(): VcpuReport {
    return reportOf(this.#guest, this.#parts.task.cpu.accounting, {
      clock: this.#monitor.figures(),
      cost: this.#costFigures(),
      noiseMeasured: this.#schedstat !== null,
    });
  }

  /** Each measurement holds one call of the clock. */
  #costFigures(): CostFigures {
    const clockCostNs = measureClockCostNs(this.#clock);
    const lessClock = (ns: number | null): number | null =>
      ns === null ? null : Math.max(0, Math.round(ns - clockCostNs));
    const batchNs = lessClock(this.#readCost.medianNs);
    const pageReadNs = batchNs === null ? null : Math.round(batchNs / COST_BATCH);
    return { tickNs: lessClock(this.#tickCost.medianNs), pageReadNs };
  }
}
