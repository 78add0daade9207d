/**
 * `struct pvclock_vcpu_time_info` (arch/x86/include/asm/pvclock-abi.h), 32 bytes, little-endian, as 32-bit words:
 *
 *     byte  0  version            u32   odd while the host writes
 *     byte  4  steal (RFC)        u32   milliseconds out of guest, modulo 2^32; `pad0` before and after the RFC
 *     byte  8  tsc_timestamp      u64   cycles
 *     byte 16  system_time        u64   ns
 *     byte 24  tsc_to_system_mul  u32
 *     byte 28  tsc_shift          s8
 *     byte 29  flags              u8
 *     byte 30  pad                2 x u8
 *     byte 32  steal_ns           u64   our form of the nanosecond extension that the RFC announces; absent without it
 *
 * Both sides of a page reach it by words of 32 bits (version-protocol.ts), or both by fields of 64 (wasm-protocol.ts): accesses of
 * unequal size never synchronise.
 */
export const VERSION_WORD = 0;
export const STEAL_MS_WORD = 1;
export const TSC_TIMESTAMP_WORD = 2;
export const SYSTEM_TIME_WORD = 4;
export const TSC_TO_SYSTEM_MUL_WORD = 6;
export const SHIFT_AND_FLAGS_WORD = 7;
export const STEAL_NS_WORD = 8;

/** Words of the page proper, and with the nanosecond extension. */
export const PAGE_WORDS = 8;
export const PAGE_WORDS_NS = 10;

/** The host writes one and the same (tsc, system_time) pair to all pages: the guest needs no monotonic guard. */
export const FLAG_TSC_STABLE = 1 << 0;
/** The host stopped the guest; the guest clears it. Free in August 2010, this bit's since 2012. */
export const FLAG_GUEST_STOPPED = 1 << 1;
/** The RFC's flag: the host fills the steal field. It had bit 1 to choose from; we keep clear of GUEST_STOPPED. */
export const FLAG_STEAL_MS = 1 << 2;
/** The host fills steal_ns too. */
export const FLAG_STEAL_NS = 1 << 3;

const FLAGS_SHIFT = 8;

/** GUEST_STOPPED where it stands in SHIFT_AND_FLAGS_WORD: the one bit of the page that the guest may write. */
export const GUEST_STOPPED_MASK = FLAG_GUEST_STOPPED << FLAGS_SHIFT;

/** @param tscShift a signed byte */
export function packShiftAndFlags(tscShift: number, flags: number): number {
  return (tscShift & 0xff) | ((flags & 0xff) << FLAGS_SHIFT);
}

export function tscShiftOf(word: number): number {
  return (word << 24) >> 24;
}

export function flagsOf(word: number): number {
  return (word >>> FLAGS_SHIFT) & 0xff;
}

/** A page of guest RAM. The pvclock structure may lie anywhere in one, aligned, but never in two. */
export const GUEST_PAGE_BYTES = 4096;
export const PVCLOCK_ALIGN_BYTES = 64;
