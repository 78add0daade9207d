import {
  CpuidRegisters,
  type Hypercalls,
  KVM_CPUID_FEATURES,
  KVM_CPUID_SIGNATURE,
  KVM_FEATURE_CLOCKSOURCE2,
  KVM_FEATURE_STEAL_MS,
  KVM_FEATURE_STEAL_NS,
  KVM_SIGNATURE,
} from "../shared/kvm-abi.js";

/** What the host offers this guest. */
export interface KvmFeatures {
  readonly clocksource: boolean;
  readonly stealMs: boolean;
  readonly stealNs: boolean;
}

const NO_FEATURES: KvmFeatures = { clocksource: false, stealMs: false, stealNs: false };

/** Asks CPUID what there is: kvm_para_available and kvm_para_has_feature (arch/x86/kernel/kvm.c). */
export function discoverFeatures(hypercalls: Hypercalls): KvmFeatures {
  const registers = new CpuidRegisters();
  hypercalls.cpuid(KVM_CPUID_SIGNATURE, registers);
  const [ebx, ecx, edx] = KVM_SIGNATURE;
  const isKvm = registers.ebx === ebx && registers.ecx === ecx && registers.edx === edx;
  if (!isKvm || registers.eax < KVM_CPUID_FEATURES) return NO_FEATURES;

  hypercalls.cpuid(KVM_CPUID_FEATURES, registers);
  const has = (bit: number): boolean => (registers.eax & (1 << bit)) !== 0;
  return {
    clocksource: has(KVM_FEATURE_CLOCKSOURCE2),
    stealMs: has(KVM_FEATURE_STEAL_MS),
    stealNs: has(KVM_FEATURE_STEAL_NS),
  };
}
