import {
  decodePvclock,
  findPvclocks,
  isOdd,
  PVCLOCK_BYTES,
  type PvclockFields,
  pvclockDoubts,
  pvclockFlagNames,
  tscKhzOf,
} from "../shared/pvclock-decode.js";
import { FLAG_STEAL_MS, FLAG_STEAL_NS } from "../shared/pvclock-page.js";
import { NS_PER_MS } from "../shared/units.js";
import { exactTime } from "./format.js";
import { type DecodedStruct, type FieldRow, hex, listNames, type PageFormat, versionMeaning } from "./page-format.js";

/** The pvclock structure, KVM's and Xen's, with the RFC's steal field and our nanoseconds where the flags say so. */
export const PVCLOCK_FORMAT: PageFormat = {
  name: "pvclock",
  noun: "pvclock structure",
  structBytes: PVCLOCK_BYTES,
  lookedFor:
    "a version other than 0, a multiplier and shift of a TSC from 1 MHz to 100 GHz, known flags only, padding of zero",
  decode: (dump, offset) => show(decodePvclock(dump, offset)),
  find: (dump) => findPvclocks(dump).map(show),
};

function show(fields: PvclockFields): DecodedStruct {
  return {
    offset: fields.offset,
    doubts: pvclockDoubts(fields),
    rows: rowsOf(fields),
    summary: clockOf(fields),
    json: jsonOf(fields),
  };
}

function rowsOf(fields: PvclockFields): FieldRow[] {
  const { version, pad0, tscTimestamp, systemTimeNs, tscToSystemMul, tscShift, flags, pad } = fields;
  return [
    { byte: 0, field: "version", raw: hex(version, 4), meaning: versionMeaning(version) },
    hasSteal(fields)
      ? { byte: 4, field: "steal", raw: hex(pad0, 4), meaning: stealMeaning(pad0) }
      : { byte: 4, field: "pad0", raw: hex(pad0, 4), meaning: "unused: the steal flag is not set" },
    { byte: 8, field: "tsc_timestamp", raw: hex(tscTimestamp, 8), meaning: `${tscTimestamp} cycles` },
    { byte: 16, field: "system_time", raw: hex(systemTimeNs, 8), meaning: `${exactTime(systemTimeNs)} at that cycle` },
    {
      byte: 24,
      field: "tsc_to_system_mul",
      raw: hex(tscToSystemMul, 4),
      meaning: frequencyMeaning(tscKhzOf(tscToSystemMul, tscShift)),
    },
    { byte: 28, field: "tsc_shift", raw: hex(tscShift & 0xff, 1), meaning: shiftMeaning(tscShift) },
    { byte: 29, field: "flags", raw: hex(flags, 1), meaning: listNames(pvclockFlagNames(flags)) },
    { byte: 30, field: "pad", raw: hex(pad, 2), meaning: pad === 0 ? "zero" : "not zero, as it should be" },
    ...stealNsRow(fields),
  ];
}

function stealNsRow({ flags, stealNs }: PvclockFields): FieldRow[] {
  if ((flags & FLAG_STEAL_NS) === 0) return [];
  const row = { byte: 32, field: "steal_ns" };
  return [
    stealNs === null
      ? { ...row, raw: "-", meaning: "the file ends before it" }
      : { ...row, raw: hex(stealNs, 8), meaning: `${exactTime(stealNs)} of steal` },
  ];
}

function hasSteal({ flags }: PvclockFields): boolean {
  return (flags & FLAG_STEAL_MS) !== 0;
}

function stealMeaning(stealMs: number): string {
  const time = exactTime(BigInt(stealMs) * BigInt(NS_PER_MS));
  return `${stealMs} ms = ${time} of steal, modulo 2^32 ms (49.7 days)`;
}

function frequencyMeaning(tscKhz: number | null): string {
  // A kHz is the third decimal of a MHz, so none is lost.
  return tscKhz === null ? "no frequency, with this shift" : `TSC of ${(tscKhz / 1000).toFixed(3)} MHz, with the shift`;
}

function shiftMeaning(tscShift: number): string {
  if (tscShift === 0) return "none";
  return tscShift < 0 ? `cycles >> ${-tscShift}` : `cycles << ${tscShift}`;
}

/** How a guest makes a clock of it, with the values put in. */
function clockOf({ tscTimestamp, systemTimeNs, tscToSystemMul, tscShift }: PvclockFields): string | null {
  if (tscKhzOf(tscToSystemMul, tscShift) === null) return null;
  const delta = `(tsc - ${tscTimestamp})`;
  const shifted = tscShift === 0 ? delta : `(${delta} ${tscShift < 0 ? ">>" : "<<"} ${Math.abs(tscShift)})`;
  return `clock in ns = ${systemTimeNs} + ((${shifted} * ${tscToSystemMul}) >> 32)`;
}

/** 64-bit fields are decimal strings, always: a reader need not look at a value to know its type. */
function jsonOf(fields: PvclockFields): object {
  const { offset, version, pad0, tscTimestamp, systemTimeNs, tscToSystemMul, tscShift, flags, stealNs } = fields;
  return {
    offset,
    version,
    updates: Math.floor(version / 2),
    beingWritten: isOdd(version),
    stealMs: hasSteal(fields) ? pad0 : null,
    pad0: hasSteal(fields) ? null : pad0,
    tscTimestamp: `${tscTimestamp}`,
    systemTimeNs: `${systemTimeNs}`,
    tscToSystemMul,
    tscShift,
    flags: pvclockFlagNames(flags),
    stealNs: stealNs === null ? null : `${stealNs}`,
    tscKhz: tscKhzOf(tscToSystemMul, tscShift),
    doubts: pvclockDoubts(fields),
  };
}
