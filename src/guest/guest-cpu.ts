import { ExitReason } from "../shared/kvm-abi.js";
import type { Ns } from "../shared/units.js";
import { CpuMode, type CpuTime } from "./accounting/cpu-time.js";
import type { TickAccounting } from "./accounting/tick-accounting.js";
import type { CpuState } from "./cpu-state.js";
import type { GuestTime } from "./guest-time.js";
import type { Hotplug } from "./hotplug.js";
import type { SoftlockupWatchdog } from "./softlockup-watchdog.js";
import type { TickDevice } from "./tick-device.js";
import type { Task } from "./workload/task.js";

/** The parts of a guest CPU, all of them over one CpuState. */
export interface GuestCpuParts {
  readonly cpu: CpuState;
  readonly time: GuestTime;
  readonly cpuTime: CpuTime;
  readonly accounting: TickAccounting;
  readonly tick: TickDevice;
  readonly watchdog: SoftlockupWatchdog;
  readonly task: Task;
  readonly hotplug: Hotplug;
}

/**
 * One CPU of the guest kernel: delivers ticks, runs the watchdog and one task. It is told the time and never asks:
 *
 *     begin(t0)                   once, when the machine goes live; the CPU is not on a pCPU yet
 *     enter(now)                  it got a pCPU
 *     advance(now)                it ran without a gap since the last instant it was told
 *     leave(now)                  it lost the pCPU, or gave it up because it wants to halt
 *
 * It keeps nothing itself: it is whichever CPU its CpuState has selected.
 *
 * Within one instant the order is the kernel's: the pending tick, then timers, then the watchdog task, then the task.
 */
export class GuestCpu {
  readonly time: GuestTime;
  readonly cpuTime: CpuTime;
  readonly watchdog: SoftlockupWatchdog;
  readonly #accounting: TickAccounting;
  readonly #tick: TickDevice;
  readonly #task: Task;
  readonly #hotplug: Hotplug;
  readonly #cpu: CpuState;

  constructor(parts: GuestCpuParts) {
    this.time = parts.time;
    this.cpuTime = parts.cpuTime;
    this.watchdog = parts.watchdog;
    this.#accounting = parts.accounting;
    this.#tick = parts.tick;
    this.#task = parts.task;
    this.#hotplug = parts.hotplug;
    this.#cpu = parts.cpu;
  }

  /** Tick deadlines accounted: taken one by one, or together on idle exit. */
  get ticks(): number {
    return this.#cpu.ticks;
  }

  /** Tick deadlines that passed out of guest and were merged into the one that was pending. */
  get lostTicks(): number {
    return this.#cpu.lostTicks;
  }

  /** It has nothing to run, or went offline: gives the pCPU back, and its tick stands still until it is wanted again. */
  get wantsOut(): boolean {
    const { idle, offline } = this.#cpu;
    return idle || offline;
  }

  /** Why it leaves its pCPU, when it leaves now. */
  get exitReason(): ExitReason {
    if (this.#cpu.offline) return ExitReason.Offline;
    return this.#cpu.idle ? ExitReason.Halted : ExitReason.Kicked;
  }

  /** While it wants out: when its first timer goes off, or when it is to be online again. */
  get wakeAt(): Ns {
    const { offline, nextSample, offlineAt } = this.#cpu;
    return offline ? this.#hotplug.onlineAt : Math.min(this.#task.wakeAt, nextSample, offlineAt);
  }

  /** While it runs: it must be told the time no later than this. */
  get nextDeadline(): Ns {
    const { nextTick, nextSample, toldAt, offlineAt } = this.#cpu;
    return Math.min(nextTick, nextSample, toldAt + this.#task.remainingNs, offlineAt);
  }

  /**
   * For whoever shows idle time in progress, as /proc/stat does: the first tick deadline not booked yet; 0 while not idle,
   * and where leaving idle may book that time as something else, which would make the counter go back.
   */
  get idleInProgressFrom(): Ns {
    const { idle, offline, nextTick } = this.#cpu;
    return idle && !offline && this.#accounting.idleIsFinal ? nextTick : 0;
  }

  /** The next tick, for a driver that measures what ticks cost. */
  get nextTick(): Ns {
    return this.#cpu.nextTick;
  }

  begin(startNs: Ns, tickPhaseNs: Ns): void {
    this.#cpu.toldAt = startNs;
    this.#tick.start(startNs, tickPhaseNs);
    this.watchdog.start(startNs, this.time.nowNs(startNs), this.time.stealClock.takenNs);
    this.#task.start(startNs);
    this.#hotplug.start(startNs);
  }

  enter(now: Ns): void {
    const cpu = this.#cpu;
    cpu.toldAt = now;
    if (cpu.offline) this.#comeOnline(now);
    else if (cpu.idle) this.#exitIdle(now);
    else if (now >= cpu.nextTick) this.#takeDueTick(now);
    this.#runTimers(now);
  }

  /** @param notRunNs how much of the span since the last told instant a real machine took away unseen */
  advance(now: Ns, notRunNs: Ns = 0): void {
    const cpu = this.#cpu;
    const ranNs = now - cpu.toldAt - notRunNs;
    cpu.toldAt = now;
    if (now >= cpu.nextTick) this.#takeDueTick(now);
    this.#task.ran(ranNs, now);
    this.#runTimers(now);
  }

  leave(now: Ns): void {
    this.#cpu.toldAt = now;
  }

  /**
   * The run is over. Idle time in progress is booked, as /proc/stat shows it too (get_cpu_idle_time_us); ticks that a CPU
   * out of guest would have found at its next entry are lost.
   */
  finish(now: Ns): void {
    if (this.#cpu.offline) return;
    const due = this.#tick.takeDue(now);
    if (this.#cpu.idle) {
      this.#accounting.accountIdleExit(due);
      this.#cpu.ticks += due;
    } else {
      this.#cpu.lostTicks += due;
    }
  }

  /**
   * Leaves tickless idle: tick_nohz_idle_exit. The deadlines that passed are idle time, but for the last of them,
   * which is pending and comes as a tick, still in idle. The watchdog is touched first: no task was kept waiting.
   */
  #exitIdle(now: Ns): void {
    const due = this.#tick.takeDue(now);
    const withoutTick = Math.max(0, due - 1);
    this.#accounting.accountIdleExit(withoutTick);
    this.#cpu.ticks += withoutTick;
    this.watchdog.touch(this.time.nowNs(now), this.#cpu.stealTakenNs);
    if (due > 0) this.#takeTick(CpuMode.Idle, now);
    this.#task.woken(now);
  }

  /** Exactly one tick is delivered, however many fell due. */
  #takeDueTick(now: Ns): void {
    this.#cpu.lostTicks += this.#tick.takeDue(now) - 1;
    this.#takeTick(this.#task.mode, now);
  }

  #takeTick(mode: CpuMode, now: Ns): void {
    const cpu = this.#cpu;
    cpu.ticks++;
    this.#accounting.accountProcessTick(mode);
    const clockNs = this.time.nowNs(now);
    // pvclock_touch_watchdogs: while the host held the whole guest, no task of it could run.
    if (this.time.kvmclock.takeGuestStopped()) this.watchdog.touch(clockNs, cpu.stealTakenNs);
    this.watchdog.check(clockNs, cpu.stealTakenNs);
  }

  /** Timers come after the tick; then the task goes on or halts. */
  #runTimers(now: Ns): void {
    const cpu = this.#cpu;
    if (now >= cpu.nextSample) this.#runWatchdog(now);
    cpu.idle = this.#task.halted;
    if (now >= cpu.offlineAt) this.#goOffline();
  }

  #runWatchdog(now: Ns): void {
    if (!this.watchdog.sampleDue(now)) return;
    if (this.#task.preemptible) this.watchdog.touch(this.time.nowNs(now), this.#cpu.stealTakenNs);
  }

  /** cpu_down: the host must write this CPU's page no more, and nothing here falls due. */
  #goOffline(): void {
    this.#cpu.offline = true;
    this.time.unregister();
    this.#tick.stop();
    this.watchdog.stop();
  }

  /** cpu_up: registers the page again, whose steal is a new baseline. Deadlines that passed meanwhile were nobody's. */
  #comeOnline(now: Ns): void {
    this.#cpu.offline = false;
    this.#hotplug.cameOnline();
    this.time.registerAgain();
    this.#tick.resume(now);
    this.watchdog.start(now, this.time.nowNs(now), this.time.stealClock.takenNs);
    this.#task.woken(now);
  }
}
