import type { Command } from "commander";
import type { Range } from "../../engine/scenario-limits.js";
import { StealclockError } from "../../shared/errors.js";
import { type Bounds, DEFAULT_BOUNDS } from "../../verify/check/check-under-model.js";
import { MODEL_NAMES, type ModelName } from "../../verify/models/model.js";
import { ALL_PROTOCOLS, type KnownProtocol, protocolOfFile } from "../../verify/protocols.js";
import { givenFlags, readFlag } from "../given-flags.js";
import { readInputFile } from "../input-file.js";
import { PROTOCOL_FILE } from "../protocol-file.js";
import { asChoice, asInteger, scalarOf } from "../values.js";

/** What `stealclock verify` is asked for. */
export interface VerifyFlags {
  /** In the order in which they are shown. */
  readonly protocols: readonly KnownProtocol[];
  readonly models: readonly ModelName[];
  readonly bounds: Bounds;
  readonly json: boolean;
}

const UPDATES: Range = { min: 1, max: 3 };
const READERS: Range = { min: 1, max: 3 };
const RETRIES: Range = { min: 0, max: 3 };

export function addVerifyFlags(command: Command): void {
  command
    .option("--protocol <name>", "one protocol by name (default all, the shipped ones last)")
    .option("--protocol-file <file>", "a protocol of your own: a module that exports write and read")
    .option("--model <names>", `memory models, separated by commas: ${MODEL_NAMES.join(",")} (default all)`)
    .option("--updates <n>", "updates of the writer, 1 to 3 (default 2)")
    .option("--readers <n>", "readers, 1 to 3 (default 2)")
    .option("--retries <n>", "after how many retries a read gives up, 0 to 3 (default 1)")
    .option("--json", "one JSON document on stdout, schema stealclock.verify/1");
}

/** @throws StealclockError "bad-input", naming the flag and what is accepted */
export function readVerifyFlags(command: Command): VerifyFlags {
  const given = givenFlags(command);
  const number = (name: string, flag: string, what: string, range: Range, otherwise: number) =>
    readFlag(flag, given(name), (value) => asInteger(scalarOf(String(value)), what, range)) ?? otherwise;
  return {
    protocols: selectProtocols(given("protocol"), given("protocolFile")),
    models: readFlag("--model", given("model"), asModels) ?? MODEL_NAMES,
    bounds: {
      updates: number("updates", "--updates", "a number of updates", UPDATES, DEFAULT_BOUNDS.updates),
      readers: number("readers", "--readers", "a number of readers", READERS, DEFAULT_BOUNDS.readers),
      maxRetries: number("retries", "--retries", "a number of retries", RETRIES, DEFAULT_BOUNDS.maxRetries),
    },
    json: given("json") === true,
  };
}

function selectProtocols(name: unknown, file: unknown): readonly KnownProtocol[] {
  if (name !== undefined && file !== undefined) {
    throw new StealclockError("bad-input", "--protocol and --protocol-file: accepted: one of them");
  }
  if (file !== undefined) {
    readInputFile(String(file), PROTOCOL_FILE);
    return [protocolOfFile(String(file))];
  }
  if (name === undefined) return ALL_PROTOCOLS;
  const names = ALL_PROTOCOLS.map((protocol) => protocol.name);
  const chosen = readFlag("--protocol", name, (value) => asChoice(value, "a protocol", names));
  return ALL_PROTOCOLS.filter((protocol) => protocol.name === chosen);
}

/** In the order of MODEL_NAMES, each once. */
function asModels(value: unknown): readonly ModelName[] {
  const names = String(value)
    .split(",")
    .map((name) => asChoice(name.trim(), "a memory model", MODEL_NAMES));
  return MODEL_NAMES.filter((name) => names.includes(name));
}
