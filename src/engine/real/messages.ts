import type { GuestCpuConfig } from "../../guest/build-guest-cpu.js";
import type { Ns } from "../../shared/units.js";
import type { LogLine, RunResult, Sample } from "../result.js";
import type { FaultConfig, Scenario } from "../scenario.js";
import type { ClockOrigin } from "./real-clock.js";

/** What every vCPU thread is started with, once. */
export interface VcpuWorkerData {
  readonly control: SharedArrayBuffer;
  readonly ram: SharedArrayBuffer;
  readonly vcpuCount: number;
  readonly origin: ClockOrigin;
  readonly tscKhz: number;
  /** The fair host: vCPU threads make room for the hypervisor, and measure what the machine takes from them. */
  readonly emulatedHost: boolean;
}

/** One vCPU's life, as a task of the pool. */
export interface VcpuTask {
  readonly cpu: GuestCpuConfig;
  readonly tickPhaseNs: Ns;
  readonly fault: FaultConfig | null;
}

/** What the hypervisor is started with. */
export interface HypervisorWorkerData {
  readonly scenario: Scenario;
  readonly control: SharedArrayBuffer;
  readonly ram: SharedArrayBuffer;
  readonly origin: ClockOrigin;
  /** How often to send a sample; null for never. */
  readonly sampleNs: Ns | null;
}

/** What the hypervisor sends to the main thread. Errors cross as text: a class would lose its fields on the way. */
export type HypervisorMessage =
  | { readonly kind: "sample"; readonly sample: Sample }
  | { readonly kind: "log"; readonly line: LogLine }
  | { readonly kind: "died"; readonly part: string; readonly message: string }
  /** Told to stop before all vCPUs had booted. */
  | { readonly kind: "stopped" }
  | { readonly kind: "result"; readonly result: RunResult };
