import type { U64 } from "./u64.js";

/**
 * What a guest can ask of KVM: CPUID leaves, model specific registers (arch/x86/include/uapi/asm/kvm_para.h).
 */
export const KVM_CPUID_SIGNATURE = 0x4000_0000;
export const KVM_CPUID_FEATURES = 0x4000_0001;

/** "KVMKVMKVM" and three zero bytes, in ebx, ecx, edx. */
export const KVM_SIGNATURE: readonly [number, number, number] = [0x4b4d564b, 0x564b4d56, 0x0000004d];

export const KVM_FEATURE_CLOCKSOURCE2 = 3;
/** The RFC's steal feature. Bit 4 was the next free one in August 2010; mainline gave it to ASYNC_PF. */
export const KVM_FEATURE_STEAL_MS = 4;
/** Ours: the 64-bit nanosecond field after the 32 bytes. */
export const KVM_FEATURE_STEAL_NS = 30;

/** wrmsr(address | 1) registers a vCPU's pvclock page, wrmsr(0) ends its updates. */
export const MSR_KVM_SYSTEM_TIME_NEW = 0x4b56_4d01;
export const MSR_ENABLE_BIT = 1;

/** Result registers of CPUID, as unsigned integers, written in place. */
export class CpuidRegisters {
  eax = 0;
  ebx = 0;
  ecx = 0;
  edx = 0;

  set(eax: number, ebx: number, ecx: number, edx: number): void {
    this.eax = eax >>> 0;
    this.ebx = ebx >>> 0;
    this.ecx = ecx >>> 0;
    this.edx = edx >>> 0;
  }
}

/** The guest's way out to its host: synchronous in every engine, and without giving up the pCPU. */
export interface Hypercalls {
  cpuid(leaf: number, out: CpuidRegisters): void;
  /** @returns false when the host refuses (a real guest would take a general protection fault) */
  writeMsr(index: number, value: U64): boolean;
}

/** Why a vCPU came back to its host. */
export const ExitReason = {
  /** The host asked for the pCPU back. */
  Kicked: 1,
  /** HLT: nothing to do until a timer or an interrupt. */
  Halted: 2,
  /** The CPU went offline. */
  Offline: 3,
} as const;
export type ExitReason = (typeof ExitReason)[keyof typeof ExitReason];
