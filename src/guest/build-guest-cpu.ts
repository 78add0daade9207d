import type { Clock } from "../shared/clock.js";
import type { Jitter } from "../shared/jitter.js";
import type { Hypercalls } from "../shared/kvm-abi.js";
import type { RandomStream } from "../shared/random-stream.js";
import type { Tsc } from "../shared/tsc.js";
import type { Ns } from "../shared/units.js";
import { CpuMode, CpuTime } from "./accounting/cpu-time.js";
import { MainlineAccounting } from "./accounting/mainline.js";
import { NoStealAccounting } from "./accounting/none.js";
import { RfcV2Accounting } from "./accounting/rfc-v2.js";
import type { TickAccounting } from "./accounting/tick-accounting.js";
import { GuestCpu } from "./guest-cpu.js";
import { type GuestMachine, GuestTime } from "./guest-time.js";
import { Hotplug, type HotplugEvent } from "./hotplug.js";
import { defaultPvclockAddress, LAST_VALUE_WORD } from "./kernel-data.js";
import { LastValue } from "./last-value.js";
import { SoftlockupWatchdog, type WatchdogMode } from "./softlockup-watchdog.js";
import { TickDevice } from "./tick-device.js";
import { TscRegister } from "./tsc-register.js";
import { BusyTask } from "./workload/busy-task.js";
import { DutyTask } from "./workload/duty-task.js";
import { IdleTask } from "./workload/idle-task.js";
import { MixedTask } from "./workload/mixed-task.js";
import type { Task } from "./workload/task.js";

/** The eras of tick accounting, a file each in accounting/. */
export type AccountingName = "none" | "rfc-v2" | "mainline";

/** What a CPU's task does: a file each in workload/. */
export type GuestWorkload =
  | { readonly kind: "hog" }
  | { readonly kind: "kernel" }
  | { readonly kind: "mixed" }
  | { readonly kind: "idle" }
  | { readonly kind: "stuck" }
  | { readonly kind: "duty"; readonly busyNs: Ns; readonly periodNs: Ns };

/** How one guest CPU is configured: its kernel's build and command line, and its task. */
export interface GuestCpuConfig {
  readonly id: number;
  readonly accounting: AccountingName;
  readonly tickNsec: Ns;
  readonly watchdogMode: WatchdogMode;
  readonly watchdogThresholdNs: Ns;
  readonly watchdogPeriodNs: Ns;
  readonly workload: GuestWorkload;
  /** The guest physical address to register; null for the guest's own choice. */
  readonly gpa: number | null;
  /** When it is offline. */
  readonly hotplug: readonly HotplugEvent[];
  /** How far the lengths of its task's bursts stray, in percent, either way; 0 for not at all. */
  readonly jitterPercent: number;
}

/** What keeps no state is there once, for all CPUs of a thread. */
const HOG = new BusyTask(CpuMode.User, true);
const KERNEL = new BusyTask(CpuMode.System, true);
const STUCK = new BusyTask(CpuMode.System, false);
const IDLE = new IdleTask();
const ALWAYS_ONLINE = new Hotplug([]);

/** The machine as guests in one thread see it. */
export function guestMachineOf(parts: {
  readonly ram: Int32Array;
  readonly cpuCount: number;
  readonly clock: Clock;
  readonly tsc: Tsc;
  readonly auditOf: GuestMachine["auditOf"];
}): GuestMachine {
  const { ram, cpuCount, clock, tsc, auditOf } = parts;
  return { ram, cpuCount, auditOf, tsc: new TscRegister(clock, tsc), lastValue: new LastValue(ram, LAST_VALUE_WORD) };
}

/**
 * Boots a guest CPU: assembles it, asks the host for its features and registers its page.
 *
 * @param random where jitter comes from; null without any
 */
export function bootGuestCpu(
  machine: GuestMachine,
  hypercalls: Hypercalls,
  config: GuestCpuConfig,
  random: RandomStream | null = null,
): GuestCpu {
  const time = new GuestTime(machine, hypercalls, config.id);
  const cpuTime = new CpuTime();
  time.register(config.gpa ?? defaultPvclockAddress(machine.cpuCount, config.id), config.accounting !== "none");
  return new GuestCpu({
    time,
    cpuTime,
    accounting: accountingOf(config.accounting, cpuTime, time, config.tickNsec),
    tick: new TickDevice(config.tickNsec),
    watchdog: new SoftlockupWatchdog(config.watchdogMode, config.watchdogThresholdNs, config.watchdogPeriodNs),
    task: taskOf(config.workload, random === null ? null : { percent: config.jitterPercent, random }),
    hotplug: config.hotplug.length === 0 ? ALWAYS_ONLINE : new Hotplug(config.hotplug),
  });
}

function accountingOf(name: AccountingName, cpuTime: CpuTime, time: GuestTime, tickNsec: Ns): TickAccounting {
  switch (name) {
    case "none":
      return new NoStealAccounting(cpuTime, tickNsec);
    case "rfc-v2":
      return new RfcV2Accounting(cpuTime, time.stealClock, tickNsec);
    case "mainline":
      return new MainlineAccounting(cpuTime, time.stealClock, tickNsec);
  }
}

function taskOf(workload: GuestWorkload, jitter: Jitter | null): Task {
  switch (workload.kind) {
    case "hog":
      return HOG;
    case "kernel":
      return KERNEL;
    case "stuck":
      return STUCK;
    case "mixed":
      return new MixedTask(jitter);
    case "idle":
      return IDLE;
    case "duty":
      return new DutyTask(workload.busyNs, workload.periodNs, jitter);
  }
}
