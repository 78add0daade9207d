import type { Command } from "commander";
import { StealclockError } from "../shared/errors.js";
import { slotsOf } from "../shared/pvclock-decode.js";
import { PVCLOCK_ALIGN_BYTES } from "../shared/pvclock-page.js";
import { count } from "../shared/text.js";
import { wrap } from "./format.js";
import { readFlag } from "./given-flags.js";
import { readInputFile } from "./input-file.js";
import type { DecodedStruct, PageFormat } from "./page-format.js";
import { structLines } from "./page-print.js";
import { PVCLOCK_FORMAT } from "./page-pvclock.js";
import { STEAL_TIME_FORMAT } from "./page-steal-time.js";
import type { Outputs } from "./run-emulate.js";
import { asChoice, refuse } from "./values.js";

const FORMATS: readonly PageFormat[] = [PVCLOCK_FORMAT, STEAL_TIME_FORMAT];

const DUMP_LIMITS = {
  maxBytes: 1_048_576,
  accepted: "a raw dump of guest memory up to 1 MiB, such as one page of 4096 bytes",
};
/** What an offset must be a multiple of: the structures' fields are aligned to this, whoever places them. */
const OFFSET_STEP = 4;

interface PageFlags {
  readonly format: PageFormat;
  /** In bytes; null to look everywhere. */
  readonly offset: number | null;
  readonly json: boolean;
}

interface Dump {
  readonly file: string;
  readonly view: DataView;
}

/** Adds `stealclock page`: decodes a dump of a guest's pvclock page, ours or a real one. */
export function addPageCommand(program: Command, { stdout }: Outputs): void {
  const command = program
    .command("page")
    .summary("decode a dump of a guest's pvclock page")
    .description(
      "Decodes a raw dump of guest memory: every pvclock structure in it, at any offset that is a multiple of 64, or " +
        "what lies at --offset, whatever it is. Dumps of real guests are read, too.",
    )
    .argument("<file>", "the dump: a page, several, or the bytes of the structure alone")
    .option("--offset <bytes>", "decode what lies there: a multiple of 4, such as 64 or 0x40")
    .option("--format <name>", "pvclock, or steal-time: mainline's struct kvm_steal_time (default pvclock)")
    .option("--json", "one JSON document on stdout, schema stealclock.page/1")
    .helpOption("-h, --help", "show this")
    .showHelpAfterError("stealclock: accepted: see stealclock page --help")
    .addHelpText("after", EXAMPLES);
  command.action((file: string) => {
    const flags = readPageFlags(command);
    const bytes = readInputFile(file, DUMP_LIMITS);
    const dump = { file, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    const structs = decodeDump(dump, flags);
    if (flags.json) stdout.write(`${JSON.stringify(documentOf(dump, flags.format, structs), null, 2)}\n`);
    else stdout.writeLines(pageLines(dump, flags, structs, stdout.width));
  });
}

const EXAMPLES = `
Examples:
  stealclock page pages/vcpu-0.bin
  stealclock page --json guest-page.bin
  stealclock page --format steal-time --offset 0x140 guest-page.bin

Exit codes: 0 decoded, 2 bad input, such as a file in which there is no such structure.`;

function readPageFlags(command: Command): PageFlags {
  const { offset, format, json } = command.opts<{ offset?: string; format?: string; json?: boolean }>();
  const names = FORMATS.map(({ name }) => name);
  const name = readFlag("--format", format, (value) => asChoice(value, "a format", names)) ?? PVCLOCK_FORMAT.name;
  return {
    format: FORMATS.find((known) => known.name === name) ?? PVCLOCK_FORMAT,
    offset: readFlag("--offset", offset, asOffset) ?? null,
    json: json === true,
  };
}

function asOffset(value: unknown): number {
  const text = String(value);
  const offset = /^(\d{1,15}|0x[\da-f]{1,12})$/i.test(text) ? Number(text) : Number.NaN;
  return offset % OFFSET_STEP === 0
    ? offset
    : refuse(value, "an offset", `a multiple of ${OFFSET_STEP}, such as 64 or 0x40`);
}

/** @throws StealclockError `bad-input`: too short, an offset beyond the end, or nothing found */
function decodeDump({ file, view }: Dump, { format, offset }: PageFlags): readonly DecodedStruct[] {
  const { noun, structBytes } = format;
  if (view.byteLength < structBytes) {
    throw new StealclockError(
      "bad-input",
      `${file}: ${count(view.byteLength, "byte")} are too short for a ${noun}; accepted: ${structBytes} bytes or more`,
    );
  }
  if (offset !== null) {
    const last = view.byteLength - structBytes;
    if (offset <= last) return [format.decode(view, offset)];
    throw new StealclockError(
      "bad-input",
      `--offset: a ${noun} at ${offset} would end beyond the ${view.byteLength} bytes of ${file}; accepted: 0 to ${last - (last % OFFSET_STEP)}`,
    );
  }
  const structs = format.find(view);
  if (structs.length === 0) throw new StealclockError("bad-input", nothingFound({ file, view }, format));
  return structs;
}

function nothingFound({ file, view }: Dump, format: PageFormat): string {
  const { noun, lookedFor, structBytes } = format;
  const lines = [
    `${file}: no ${noun} at any multiple of ${PVCLOCK_ALIGN_BYTES} in its ${view.byteLength} bytes${isZero(view) ? ", which are all zero" : ""}`,
    `looked for at ${count(slotsOf(view.byteLength, structBytes).length, "offset")}: ${lookedFor}`,
    "accepted: a dump with one, or --offset to decode what lies there, whatever it is",
  ];
  for (const other of FORMATS) {
    const found = other === format ? 0 : other.find(view).length;
    if (found > 0) lines.push(`${count(found, other.noun)} in it: --format ${other.name}`);
  }
  return lines.join("\n");
}

function isZero(view: DataView): boolean {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).every((byte) => byte === 0);
}

/** The document of `--json`. A structure's 64-bit fields are decimal strings, all its others numbers. */
function documentOf({ file, view }: Dump, format: PageFormat, structs: readonly DecodedStruct[]): object {
  return {
    schema: "stealclock.page/1",
    file,
    bytes: view.byteLength,
    format: format.name,
    structs: structs.map(({ json }) => json),
  };
}

function pageLines({ file, view }: Dump, flags: PageFlags, structs: readonly DecodedStruct[], width: number): string[] {
  const { noun, structBytes } = flags.format;
  const slots = count(slotsOf(view.byteLength, structBytes).length, "offset");
  const found = flags.offset === null ? `${count(structs.length, noun)} at ${slots} looked at` : `read as a ${noun}`;
  return [
    ...wrap(`${file}: ${count(view.byteLength, "byte")}, ${found}`, width),
    ...structs.flatMap((struct) => ["", ...structLines(struct, width)]),
  ];
}
