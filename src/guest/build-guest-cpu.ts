import type { Clock } from "../shared/clock.js";
import type { Jitter } from "../shared/jitter.js";
import type { Hypercalls } from "../shared/kvm-abi.js";
import { AtomicsProtocol, type PageProtocol } from "../shared/page-protocol.js";
import type { RandomStream } from "../shared/random-stream.js";
import type { Tsc } from "../shared/tsc.js";
import type { Ns } from "../shared/units.js";
import { WasmProtocol } from "../shared/wasm-protocol.js";
import { CpuMode, CpuTime } from "./accounting/cpu-time.js";
import { MainlineAccounting } from "./accounting/mainline.js";
import { NoStealAccounting } from "./accounting/none.js";
import { RfcV2Accounting } from "./accounting/rfc-v2.js";
import type { TickAccounting } from "./accounting/tick-accounting.js";
import { CpuState } from "./cpu-state.js";
import { discoverFeatures, type KvmFeatures } from "./features.js";
import { GuestCpu } from "./guest-cpu.js";
import { type GuestMachine, GuestTime } from "./guest-time.js";
import { Hotplug, type HotplugEvent } from "./hotplug.js";
import { defaultPvclockAddress, LAST_VALUE_WORD } from "./kernel-data.js";
import { LastValue } from "./last-value.js";
import { PvclockInHalves } from "./pvclock-in-halves.js";
import { PvclockInWasm } from "./pvclock-in-wasm.js";
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

/** The machine as guests in one thread see it. */
export function guestMachineOf(parts: {
  readonly ram: Int32Array;
  readonly cpuCount: number;
  readonly clock: Clock;
  readonly tsc: Tsc;
  readonly auditOf: GuestMachine["auditOf"];
  readonly auditsEveryRead: boolean;
  /** How pages are read (by Atomics). */
  readonly protocol?: PageProtocol;
}): GuestMachine {
  const { clock, tsc, protocol = new AtomicsProtocol(parts.ram), ...rest } = parts;
  const pvclockArithmetic =
    protocol instanceof WasmProtocol
      ? new PvclockInWasm(protocol, LAST_VALUE_WORD)
      : new PvclockInHalves(protocol, new LastValue(parts.ram, LAST_VALUE_WORD));
  return { ...rest, protocol, tsc: new TscRegister(clock, tsc), pvclockArithmetic };
}

/** What a guest CPU is built from. */
export interface GuestCpuBuild {
  readonly machine: GuestMachine;
  readonly hypercalls: Hypercalls;
  /** What the host offered when the machine booted. */
  readonly features: KvmFeatures;
  readonly config: GuestCpuConfig;
  readonly cpu: CpuState;
  /** Where jitter comes from; null without any. */
  readonly random: RandomStream | null;
}

/** Puts the rules of a guest CPU together, for each CPU of its CpuState that is configured so. Nothing boots yet. */
export function buildGuestCpu({ machine, hypercalls, features, config, cpu, random }: GuestCpuBuild): GuestCpu {
  const time = new GuestTime(machine, hypercalls, features, cpu);
  const cpuTime = new CpuTime(cpu);
  return new GuestCpu({
    cpu,
    time,
    cpuTime,
    accounting: accountingOf(config.accounting, cpuTime, time, config.tickNsec),
    tick: new TickDevice(config.tickNsec, cpu),
    watchdog: new SoftlockupWatchdog(config.watchdogMode, config.watchdogThresholdNs, config.watchdogPeriodNs, cpu),
    task: taskOf(config.workload, random === null ? null : { percent: config.jitterPercent, random }, cpu),
    hotplug: new Hotplug(config.hotplug, cpu),
  });
}

/** Registers the selected CPU's page, where it is configured to be. */
export function registerPage({ time }: GuestCpu, machine: GuestMachine, { id, gpa, accounting }: GuestCpuConfig): void {
  time.register(gpa ?? defaultPvclockAddress(machine.cpuCount, id), accounting !== "none");
}

/** Boots a guest CPU that is alone in its thread: asks the host for its features, assembles it and registers its page. */
export function bootGuestCpu(machine: GuestMachine, hypercalls: Hypercalls, config: GuestCpuConfig): GuestCpu {
  const features = discoverFeatures(hypercalls);
  const cpu = new CpuState(1, config.id);
  const guest = buildGuestCpu({ machine, hypercalls, features, config, cpu, random: null });
  registerPage(guest, machine, config);
  return guest;
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

function taskOf(workload: GuestWorkload, jitter: Jitter | null, cpu: CpuState): Task {
  switch (workload.kind) {
    case "hog":
      return HOG;
    case "kernel":
      return KERNEL;
    case "stuck":
      return STUCK;
    case "mixed":
      return new MixedTask(jitter, cpu);
    case "idle":
      return IDLE;
    case "duty":
      return new DutyTask(workload.busyNs, workload.periodNs, jitter, cpu);
  }
}
