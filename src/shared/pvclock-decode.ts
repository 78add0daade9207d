import {
  FLAG_GUEST_STOPPED,
  FLAG_STEAL_MS,
  FLAG_STEAL_NS,
  FLAG_TSC_STABLE,
  PAGE_WORDS,
  PAGE_WORDS_NS,
  PVCLOCK_ALIGN_BYTES,
} from "./pvclock-page.js";

/*
 * Reads a dump of the pvclock structure (pvclock-page.ts has its layout): bytes that nobody writes any more, our own or
 * a real guest's. For tools and tests, not for a page in use, which takes the version protocol.
 */

/** Bytes of the structure, and of the one with our nanoseconds behind it. */
export const PVCLOCK_BYTES = PAGE_WORDS * 4;
const PVCLOCK_NS_BYTES = PAGE_WORDS_NS * 4;

/** A pvclock structure as it stands in a dump. */
export interface PvclockFields {
  /** Where in the dump it starts, in bytes. */
  readonly offset: number;
  readonly version: number;
  /** The 32 bits at byte 4: steal in ms modulo 2^32 when the flags say so, else `pad0`. */
  readonly pad0: number;
  readonly tscTimestamp: bigint;
  readonly systemTimeNs: bigint;
  readonly tscToSystemMul: number;
  readonly tscShift: number;
  readonly flags: number;
  /** The 16 bits at byte 30, unused. */
  readonly pad: number;
  /** null without its flag, and where the dump ends before it. */
  readonly stealNs: bigint | null;
}

/**
 * Reads the structure at an offset, whatever is there.
 *
 * @param offset with PVCLOCK_BYTES or more left in the dump
 */
export function decodePvclock(dump: DataView, offset: number): PvclockFields {
  const flags = dump.getUint8(offset + 29);
  const hasStealNs = (flags & FLAG_STEAL_NS) !== 0 && offset + PVCLOCK_NS_BYTES <= dump.byteLength;
  return {
    offset,
    version: dump.getUint32(offset, true),
    pad0: dump.getUint32(offset + 4, true),
    tscTimestamp: dump.getBigUint64(offset + 8, true),
    systemTimeNs: dump.getBigUint64(offset + 16, true),
    tscToSystemMul: dump.getUint32(offset + 24, true),
    tscShift: dump.getInt8(offset + 28),
    flags,
    pad: dump.getUint16(offset + 30, true),
    stealNs: hasStealNs ? dump.getBigUint64(offset + 32, true) : null,
  };
}

/** The offsets at which a structure of so many bytes can lie in a dump: aligned as every known guest aligns it. */
export function slotsOf(dumpBytes: number, structBytes: number): number[] {
  const last = dumpBytes - structBytes;
  return last < 0
    ? []
    : Array.from({ length: Math.floor(last / PVCLOCK_ALIGN_BYTES) + 1 }, (_, slot) => slot * PVCLOCK_ALIGN_BYTES);
}

/** Every structure of a dump that can be a pvclock structure, at aligned offsets. */
export function findPvclocks(dump: DataView): PvclockFields[] {
  return slotsOf(dump.byteLength, PVCLOCK_BYTES)
    .map((offset) => decodePvclock(dump, offset))
    .filter((fields) => pvclockDoubts(fields).length === 0);
}

/** No TSC ever ran slower or faster: 1 MHz, 100 GHz. */
const MIN_TSC_KHZ = 1_000;
const MAX_TSC_KHZ = 100_000_000;
const MAX_SHIFT = 31;

/**
 * Why no host can have written this; nothing when one can. A page that was never written has version 0; what remains is
 * told from other memory by a multiplier and shift that a TSC can have, by flags that have a meaning, and by padding,
 * which every known host leaves zero.
 *
 * The version may be odd, and the payload then half old, half new: the flags are written after the steal field, so that
 * field is not held against them.
 */
export function pvclockDoubts(fields: PvclockFields): string[] {
  const { version, pad0, tscToSystemMul, tscShift, flags, pad } = fields;
  const tscKhz = tscKhzOf(tscToSystemMul, tscShift);
  const stealHasFlag = isOdd(version) || (flags & FLAG_STEAL_MS) !== 0;
  return [
    ...(version === 0 ? ["version 0: never written"] : []),
    ...(tscKhz === null || tscKhz < MIN_TSC_KHZ || tscKhz > MAX_TSC_KHZ
      ? ["the multiplier and shift are of no TSC from 1 MHz to 100 GHz"]
      : []),
    ...((flags & ~KNOWN_FLAGS) === 0 ? [] : ["unknown flags"]),
    ...(pad === 0 && (pad0 === 0 || stealHasFlag) ? [] : ["padding is not zero"]),
  ];
}

/** An odd version: the host is writing, or died while it was. */
export function isOdd(version: number): boolean {
  return version % 2 === 1;
}

/**
 * The frequency of which a multiplier and shift tell, to the nearest kHz: ns = ((cycles << tscShift) * mul) >> 32.
 * Exact in between, and the inverse of tscRateOf over all of its range.
 *
 * @returns null when there is none: a multiplier of 0, a shift beyond 31 places, or 2^53 kHz and more
 */
export function tscKhzOf(tscToSystemMul: number, tscShift: number): number | null {
  if (tscToSystemMul === 0 || Math.abs(tscShift) > MAX_SHIFT) return null;
  const dividend = 1_000_000n << BigInt(32 + Math.max(0, -tscShift));
  const divisor = BigInt(tscToSystemMul) << BigInt(Math.max(0, tscShift));
  const tscKhz = Number((dividend + divisor / 2n) / divisor);
  return Number.isSafeInteger(tscKhz) ? tscKhz : null;
}

/** Each flag's name; those that steal is told by are the RFC's and ours, and no mainline host sets them. */
const PVCLOCK_FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [FLAG_TSC_STABLE, "TSC_STABLE"],
  [FLAG_GUEST_STOPPED, "GUEST_STOPPED"],
  [FLAG_STEAL_MS, "STEAL_MS"],
  [FLAG_STEAL_NS, "STEAL_NS"],
];

const KNOWN_FLAGS = FLAG_TSC_STABLE | FLAG_GUEST_STOPPED | FLAG_STEAL_MS | FLAG_STEAL_NS;

/** The flags that are set, by name. */
export function pvclockFlagNames(flags: number): string[] {
  return bitNames(flags, PVCLOCK_FLAGS);
}

/** The bits that are set, by name; one without a name is "unknown bit 5". @param bits unsigned, 32 at most */
export function bitNames(bits: number, names: readonly (readonly [bit: number, name: string])[]): string[] {
  return Array.from({ length: 32 }, (_, index) => index)
    .filter((index) => (bits & (1 << index)) !== 0)
    .map((index) => names.find(([bit]) => bit === 1 << index)?.[1] ?? `unknown bit ${index}`);
}
