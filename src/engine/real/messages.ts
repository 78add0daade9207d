import type { GuestCpuConfig } from "../../guest/build-guest-cpu.js";
import type { MachineMemory } from "../../shared/machine-memory.js";
import type { Ns } from "../../shared/units.js";
import type { FaultConfig, Scenario } from "../scenario.js";
import type { ClockOrigin } from "./real-clock.js";

/** What every vCPU thread is started with, once. */
export interface VcpuWorkerData {
  readonly control: SharedArrayBuffer;
  readonly memory: MachineMemory;
  readonly vcpuCount: number;
  readonly origin: ClockOrigin;
  readonly tscKhz: number;
  /** The fair host: vCPU threads make room for the hypervisor, and measure what the machine takes from them. */
  readonly emulatedHost: boolean;
  readonly auditsEveryRead: boolean;
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
  readonly memory: MachineMemory;
  readonly origin: ClockOrigin;
  /** How often to send a sample; null for never. */
  readonly sampleNs: Ns | null;
  /** Guests audit each consistent read of a page, not one in some. */
  readonly auditsEveryRead: boolean;
}
