import type { CpuidRegisters, ExitReason } from "../shared/kvm-abi.js";
import type { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import type { CommandRing } from "./command-ring.js";
import type { KvmPlatform } from "./kvm-platform.js";
import type { Ledger } from "./ledger.js";
import type { PvclockPublisher } from "./pvclock-publisher.js";

/**
 * A hypervisor as its driver sees it: it is told the time and what happened, and answers with commands. No clock, no
 * gate, no thread. Guests boot first, each on a processor of its own: cpuid and writeMsr work before begin.
 */
export interface Host {
  readonly ledger: Ledger;
  readonly publisher: PvclockPublisher;
  readonly platform: KvmPlatform;
  readonly commands: CommandRing;
  /** The host must be told the time no later than this. */
  readonly nextDeadline: Ns;
  /** All vCPUs are booted: t0. Everyone is runnable and waits. */
  begin(now: Ns): void;
  /** Time has passed: deals with every deadline up to now. */
  advance(now: Ns): void;
  /** A granted vCPU came back. @param wakeAt with Halted: when its timer goes off; with Offline: when it is wanted again */
  exited(vcpu: number, reason: ExitReason, wakeAt: Ns, now: Ns): void;
  /** An interrupt for a vCPU: wakes it from HLT. One that comes before the HLT is not lost. */
  interrupt(vcpu: number, now: Ns): void;
  cpuid(leaf: number, out: CpuidRegisters): void;
  writeMsr(vcpu: number, index: number, value: U64, now: Ns): boolean;
  /** The run is over: kicks every vCPU and grants no more. */
  stop(now: Ns): void;
  /** After stop: whether every vCPU has come back. */
  readonly quiescent: boolean;
}
