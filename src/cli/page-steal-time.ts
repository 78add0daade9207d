import { isOdd } from "../shared/pvclock-decode.js";
import {
  decodeStealTime,
  findStealTimes,
  preemptedNames,
  STEAL_TIME_BYTES,
  type StealTimeFields,
  stealTimeDoubts,
  stealTimeFlagNames,
} from "../shared/steal-time-decode.js";
import { count } from "../shared/text.js";
import { exactTime } from "./format.js";
import { type DecodedStruct, type FieldRow, hex, listNames, type PageFormat, versionMeaning } from "./page-format.js";

/** Mainline KVM's own steal page. */
export const STEAL_TIME_FORMAT: PageFormat = {
  name: "steal-time",
  noun: "kvm_steal_time structure",
  structBytes: STEAL_TIME_BYTES,
  lookedFor: "a version other than 0, flags of zero, no unknown bit in preempted, padding of zero",
  decode: (dump, offset) => show(decodeStealTime(dump, offset)),
  find: (dump) => findStealTimes(dump).map(show),
};

function show(fields: StealTimeFields): DecodedStruct {
  return {
    offset: fields.offset,
    doubts: stealTimeDoubts(fields),
    rows: rowsOf(fields),
    summary: null,
    json: jsonOf(fields),
  };
}

function rowsOf({ stealNs, version, flags, preempted, padBytesSet }: StealTimeFields): FieldRow[] {
  const pad = padBytesSet === 0 ? "zero" : `${count(padBytesSet, "byte")} not zero, as all should be`;
  return [
    { byte: 0, field: "steal", raw: hex(stealNs, 8), meaning: `${stealNs} ns = ${exactTime(stealNs)} of steal` },
    { byte: 8, field: "version", raw: hex(version, 4), meaning: versionMeaning(version) },
    { byte: 12, field: "flags", raw: hex(flags, 4), meaning: listNames(stealTimeFlagNames(flags)) },
    { byte: 16, field: "preempted", raw: hex(preempted, 1), meaning: listNames(preemptedNames(preempted)) },
    { byte: 17, field: "pad", raw: "47 bytes", meaning: pad },
  ];
}

/** As in page-pvclock.ts: a 64-bit field is a decimal string. */
function jsonOf(fields: StealTimeFields): object {
  const { offset, stealNs, version, flags, preempted } = fields;
  return {
    offset,
    stealNs: `${stealNs}`,
    version,
    updates: Math.floor(version / 2),
    beingWritten: isOdd(version),
    flags: stealTimeFlagNames(flags),
    preempted: preemptedNames(preempted),
    doubts: stealTimeDoubts(fields),
  };
}
