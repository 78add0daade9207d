import type { AccountingName, GuestWorkload } from "../guest/build-guest-cpu.js";
import type { WatchdogMode } from "../guest/softlockup-watchdog.js";
import type { Ns } from "../shared/units.js";

export type { AccountingName };
/** What a guest task does with its CPU. */
export type Workload = GuestWorkload;

/**
 * A run, fully resolved: every default filled in, every name turned into numbers. This is what an engine takes;
 * the command line, a scenario file and a program all end up here.
 */
export interface Scenario {
  readonly engine: EngineKind;
  /** Where all chance of the virtual engine comes from, 0 to 2^32 - 1. The real one has chance of its own: 0. */
  readonly seed: number;
  readonly host: HostKind;
  readonly durationNs: Ns;
  /** Emulated physical CPUs. The linux host has none of its own: 0. */
  readonly pcpus: number;
  readonly sliceNs: Ns;
  readonly update: UpdatePolicy;
  readonly measure: Measure;
  readonly stealUnit: StealUnit;
  /** false: a host that does not offer steal time in CPUID. */
  readonly stealFeature: boolean;
  readonly accounting: AccountingName;
  readonly hz: Hz;
  readonly tscKhz: number;
  readonly watchdog: WatchdogConfig;
  /** The linux host reads schedstat this often, or less often when that would cost more than 2 % of a core. */
  readonly pollNs: Ns;
  readonly vcpus: readonly VcpuConfig[];
  readonly hostTasks: readonly HostTaskConfig[];
  readonly faults: readonly FaultConfig[];
  /** What the virtual engine does by chance; all 0 in the real one. */
  readonly chance: ChanceConfig;
  /** Where TSC, system time and each page's steal stand when the run begins, in the virtual engine: a machine that is up for long. */
  readonly startAtNs: Ns;
  /** What happens to the machine while it runs, in the virtual engine; in order of time. */
  readonly timeline: readonly TimelineEvent[];
  /** What a guest finds in the memory that it takes for its page. */
  readonly pageMemory: PageMemory;
}

/** real: a thread for the hypervisor and each vCPU. virtual: a discrete-event loop over a virtual clock. */
export type EngineKind = "real" | "virtual";
/** zero, or junk with an odd version, as of a kernel that died in this memory. */
export type PageMemory = "zero" | "junk";

export interface ChanceConfig {
  /** Bursts of duty and mixed workloads stray from their length by up to so much, either way. */
  readonly jitterPercent: number;
  /** A grant reaches its vCPU up to so much later. */
  readonly wakeLatencyNs: Ns;
  /** A kick reaches its vCPU up to so much later: the host's own interrupts and locks. */
  readonly hostNoiseNs: Ns;
}

/** Times count from the run's t0. */
export type TimelineEvent =
  /** A vCPU's guest kernel takes it offline, and online again. */
  | { readonly kind: "offline"; readonly atNs: Ns; readonly forNs: Ns; readonly vcpu: number }
  /** The whole host is suspended and resumed. */
  | { readonly kind: "suspend"; readonly atNs: Ns; readonly forNs: Ns }
  /** The machine stands still while it is moved to another host, which may lack the feature or have another TSC. */
  | {
      readonly kind: "migrate";
      readonly atNs: Ns;
      readonly forNs: Ns;
      readonly stealFeature: boolean;
      readonly tscKhz: number;
    };

export type HostKind = "fair" | "linux";
export type Measure = "out-of-guest" | "wait";
export type StealUnit = "ms" | "ns";
export type Hz = 100 | 250 | 300 | 1000;

export type UpdatePolicy =
  | { readonly kind: "entry" }
  | { readonly kind: "pcpu-change" }
  | { readonly kind: "steal-entry" }
  | { readonly kind: "periodic"; readonly periodNs: Ns };

export interface WatchdogConfig {
  readonly mode: WatchdogMode;
  readonly thresholdNs: Ns;
  readonly periodNs: Ns;
}

export interface VcpuConfig {
  readonly workload: Workload;
  readonly nice: number;
  /** pCPUs this vCPU may run on; null is any. */
  readonly pcpus: readonly number[] | null;
  /** Where its tick grid starts after the run's t0; below one tick. */
  readonly tickPhaseNs: Ns;
  /** The guest physical address that the guest registers; null lets the guest choose a good one. */
  readonly gpa: number | null;
}

/** A task of the host that competes with the vCPUs for emulated pCPUs. It burns no real CPU. */
export interface HostTaskConfig {
  readonly workload: Extract<Workload, { kind: "hog" | "duty" }>;
  readonly nice: number;
  readonly pcpus: readonly number[] | null;
}

/** A part that is made to die during the run, to see what a user would see. Times count from the run's t0. */
export interface FaultConfig {
  readonly kind: "throw" | "exit" | "out-of-memory";
  /** A vCPU's number, or the hypervisor. */
  readonly part: number | "hypervisor";
  readonly afterNs: Ns;
}
