import { count } from "../shared/text.js";

/** One field of a structure, as it is printed. */
export interface FieldRow {
  readonly byte: number;
  readonly field: string;
  readonly raw: string;
  readonly meaning: string;
}

/** A structure found in a dump, ready to be shown. */
export interface DecodedStruct {
  readonly offset: number;
  /** Why no host can have written this; nothing when one can. */
  readonly doubts: readonly string[];
  readonly rows: readonly FieldRow[];
  /** What the fields say together, in a line of its own; null for nothing. */
  readonly summary: string | null;
  /** The fields as they stand in `stealclock.page/1`. */
  readonly json: object;
}

/** A kind of structure that `page` can decode. */
export interface PageFormat {
  readonly name: string;
  /** What messages call one of them. */
  readonly noun: string;
  /** Bytes that must be there. */
  readonly structBytes: number;
  /** What tells it from other memory, for the message that there is none. */
  readonly lookedFor: string;
  /** Decodes what is at an offset, whatever it is. */
  readonly decode: (dump: DataView, offset: number) => DecodedStruct;
  /** Decodes all there are. */
  readonly find: (dump: DataView) => readonly DecodedStruct[];
}

/** A field's value as the bytes say it, all digits. */
export function hex(value: number | bigint, bytes: number): string {
  return `0x${value.toString(16).padStart(bytes * 2, "0")}`;
}

/** What a version says of the rest. */
export function versionMeaning(version: number): string {
  const updates = count(Math.floor(version / 2), "update");
  if (version === 0) return "never written";
  return version % 2 === 0
    ? `even: complete, ${updates} so far`
    : `odd: being written, or its writer died; ${updates} complete, what follows may be half of the next`;
}

/** "A, B", or "none". */
export function listNames(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
