import { bitNames, slotsOf } from "./pvclock-decode.js";

/*
 * Reads a dump of mainline KVM's own steal page, `struct kvm_steal_time` (arch/x86/include/uapi/asm/kvm_para.h), 64
 * bytes, little-endian, aligned to 64:
 *
 *     byte  0  steal      u64   ns that the vCPU's thread waited for a CPU
 *     byte  8  version    u32   odd while the host writes
 *     byte 12  flags      u32   always zero so far
 *     byte 16  preempted  u8
 *     byte 17  pad        47 x u8
 */
export const STEAL_TIME_BYTES = 64;
const PAD_START = 17;

/** A steal page as it stands in a dump. */
export interface StealTimeFields {
  /** Where in the dump it starts, in bytes. */
  readonly offset: number;
  readonly stealNs: bigint;
  readonly version: number;
  readonly flags: number;
  readonly preempted: number;
  /** Bytes of the padding that are not zero. */
  readonly padBytesSet: number;
}

/**
 * Reads the structure at an offset, whatever is there.
 *
 * @param offset with STEAL_TIME_BYTES or more left in the dump
 */
export function decodeStealTime(dump: DataView, offset: number): StealTimeFields {
  let padBytesSet = 0;
  for (let at = PAD_START; at < STEAL_TIME_BYTES; at++) if (dump.getUint8(offset + at) !== 0) padBytesSet++;
  return {
    offset,
    stealNs: dump.getBigUint64(offset, true),
    version: dump.getUint32(offset + 8, true),
    flags: dump.getUint32(offset + 12, true),
    preempted: dump.getUint8(offset + 16),
    padBytesSet,
  };
}

/** Every structure of a dump that can be a steal page, at aligned offsets. */
export function findStealTimes(dump: DataView): StealTimeFields[] {
  return slotsOf(dump.byteLength, STEAL_TIME_BYTES)
    .map((offset) => decodeStealTime(dump, offset))
    .filter((fields) => stealTimeDoubts(fields).length === 0);
}

/** Why no host can have written this; nothing when one can. A host sets known bits only, and leaves padding zero. */
export function stealTimeDoubts({ version, flags, preempted, padBytesSet }: StealTimeFields): string[] {
  return [
    ...(version === 0 ? ["version 0: never written"] : []),
    ...(flags === 0 && (preempted & ~KNOWN_PREEMPTED) === 0 ? [] : ["unknown flags"]),
    ...(padBytesSet === 0 ? [] : ["padding is not zero"]),
  ];
}

const PREEMPTED_BITS: readonly (readonly [bit: number, name: string])[] = [
  [1 << 0, "PREEMPTED"],
  [1 << 1, "FLUSH_TLB"],
];

const KNOWN_PREEMPTED = 0b11;

/** The bits of `preempted` that are set, by name. */
export function preemptedNames(preempted: number): string[] {
  return bitNames(preempted, PREEMPTED_BITS);
}

/** The bits of `flags` that are set; none has a name yet. */
export function stealTimeFlagNames(flags: number): string[] {
  return bitNames(flags, []);
}
