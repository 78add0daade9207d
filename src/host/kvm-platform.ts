import {
  type CpuidRegisters,
  KVM_CPUID_FEATURES,
  KVM_CPUID_SIGNATURE,
  KVM_FEATURE_CLOCKSOURCE2,
  KVM_FEATURE_STEAL_MS,
  KVM_FEATURE_STEAL_NS,
  KVM_SIGNATURE,
  MSR_ENABLE_BIT,
  MSR_KVM_SYSTEM_TIME_NEW,
} from "../shared/kvm-abi.js";
import { GUEST_PAGE_BYTES, PVCLOCK_ALIGN_BYTES } from "../shared/pvclock-page.js";
import type { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import type { PvclockPublisher } from "./pvclock-publisher.js";

const RESERVED_BIT = 2;

/** What a guest sees of its hypervisor besides time: CPUID leaves, and the MSR that registers its page. */
export class KvmPlatform {
  readonly #ramBytes: number;
  readonly #publisher: PvclockPublisher;
  readonly #refusals: (string | undefined)[] = [];

  constructor(ramBytes: number, publisher: PvclockPublisher) {
    this.#ramBytes = ramBytes;
    this.#publisher = publisher;
  }

  /** Leaves that KVM does not know read as zero. */
  cpuid(leaf: number, out: CpuidRegisters): void {
    switch (leaf) {
      case KVM_CPUID_SIGNATURE:
        out.set(KVM_CPUID_FEATURES, ...KVM_SIGNATURE);
        return;
      case KVM_CPUID_FEATURES:
        out.set(this.#features(), 0, 0, 0);
        return;
      default:
        out.set(0, 0, 0, 0);
    }
  }

  /** @returns whether the write was accepted; why not is then in refusalOf */
  writeMsr(vcpu: number, index: number, value: U64, now: Ns): boolean {
    const refusal = this.#judge(index, value);
    this.#refusals[vcpu] = refusal ?? undefined;
    if (refusal !== null) return false;
    if (value.low === 0) this.#publisher.unregister(vcpu);
    else this.#publisher.register(vcpu, (value.low - MSR_ENABLE_BIT) >>> 2, now);
    return true;
  }

  /** Why the vCPU's last MSR write was refused, or null. */
  refusalOf(vcpu: number): string | null {
    return this.#refusals[vcpu] ?? null;
  }

  #features(): number {
    const { offersSteal, hasStealNs } = this.#publisher;
    const steal = (offersSteal ? 1 << KVM_FEATURE_STEAL_MS : 0) | (hasStealNs ? 1 << KVM_FEATURE_STEAL_NS : 0);
    return (1 << KVM_FEATURE_CLOCKSOURCE2) | steal;
  }

  #judge(index: number, value: U64): string | null {
    if (index !== MSR_KVM_SYSTEM_TIME_NEW) return `MSR 0x${index.toString(16)} is not known to this host`;
    if (value.high === 0 && value.low === 0) return null;
    const gpa = value.toNumber() - (value.low & MSR_ENABLE_BIT);
    const where = `0x${gpa.toString(16)}`;
    if ((value.low & MSR_ENABLE_BIT) === 0) return `${where}: bit 0 (enable) is clear; only 0 stops the updates`;
    if ((value.low & RESERVED_BIT) !== 0) return `${where}: bit 1 is reserved`;
    if ((gpa % GUEST_PAGE_BYTES) + this.#publisher.pageBytes > GUEST_PAGE_BYTES) {
      return `${where}: ${this.#publisher.pageBytes} bytes from there cross a page boundary`;
    }
    if (gpa + this.#publisher.pageBytes > this.#ramBytes) {
      return `${where}: beyond guest RAM, which ends at 0x${this.#ramBytes.toString(16)}`;
    }
    if (gpa % PVCLOCK_ALIGN_BYTES !== 0) return `${where}: not aligned to ${PVCLOCK_ALIGN_BYTES} bytes`;
    return null;
  }
}
