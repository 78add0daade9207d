import type { Command } from "commander";
import { isOutside, type Range, showNs } from "../../engine/scenario-limits.js";
import { StealclockError } from "../../shared/errors.js";
import { formatDuration, NS_PER_DAY, NS_PER_MS, NS_PER_SECOND, type Ns } from "../../shared/units.js";
import { type KnownProtocol, PROTOCOLS, protocolOfFile, SHIPPED } from "../../verify/protocols.js";
import { FAULTS, type Fault } from "../../verify/stress/stress-run.js";
import { type GivenFlags, givenFlags, readFlag } from "../given-flags.js";
import { readInputFile } from "../input-file.js";
import { PROTOCOL_FILE } from "../protocol-file.js";
import { asChoice, asDuration, asInteger, refuse, scalarOf } from "../values.js";

/** What `stealclock stress` is asked for. */
export interface StressFlags {
  /** In the order in which they are run. */
  readonly protocols: readonly KnownProtocol[];
  /** The user's own, which is the only one then; null when it is ours that are run. */
  readonly protocolFile: string | null;
  readonly readers: number;
  readonly pages: number;
  readonly durationNs: Ns;
  readonly maxRetries: number;
  readonly fault: Fault | null;
  readonly json: boolean;
}

const READERS: Range = { min: 1, max: 64 };
const PAGES: Range = { min: 1, max: 1_024 };
const MAX_RETRIES: Range = { min: 1, max: 100_000 };
const DURATION: Range = { min: NS_PER_MS, max: NS_PER_DAY };
const DEFAULT_NS: Ns = 5 * NS_PER_SECOND;
/** The emulator's own bound. */
const DEFAULT_MAX_RETRIES = 10_000;

export function addStressFlags(command: Command): void {
  command
    .option("--readers <n>", "reader threads, 1 to 64 (default the cores less one)")
    .option("--pages <n>", "pages, 1 to 1024 (default 1)")
    .option(
      "--duration <time>",
      "how long to run, 1ms to 1d (default 5s); with --all a broken protocol gets 1s at most",
    )
    .option("--max-retries <n>", "after how many retries a read gives up, 1 to 100000 (default 10000)")
    .option("--protocol <name>", "a protocol by name (default shipped)")
    .option("--all", "every protocol in turn, the shipped one last")
    .option("--protocol-file <file>", "a protocol of your own: a module that exports write and read")
    .option("--fault <name>", `let something go wrong in the shipped protocol: ${FAULTS.join(", ")}`)
    .option("--json", "one JSON document on stdout, schema stealclock.stress/1");
}

/**
 * @param cores that this process may use
 * @throws StealclockError "bad-input", naming the flag and what is accepted
 */
export function readStressFlags(command: Command, cores: number): StressFlags {
  const given = givenFlags(command);
  refuseTogether(given);
  const number = (name: string, flag: string, what: string, range: Range) =>
    readFlag(flag, given(name), (value) => asInteger(scalarOf(String(value)), what, range));
  const protocolFile = readFlag("--protocol-file", given("protocolFile"), String) ?? null;
  if (protocolFile !== null) readInputFile(protocolFile, PROTOCOL_FILE);
  return {
    protocols: protocolFile === null ? selectProtocols(given) : [protocolOfFile(protocolFile)],
    protocolFile,
    readers: number("readers", "--readers", "a number of readers", READERS) ?? defaultReaders(cores),
    pages: number("pages", "--pages", "a number of pages", PAGES) ?? 1,
    durationNs: readFlag("--duration", given("duration"), asRunTime) ?? DEFAULT_NS,
    maxRetries: number("maxRetries", "--max-retries", "a number of retries", MAX_RETRIES) ?? DEFAULT_MAX_RETRIES,
    fault: readFlag("--fault", given("fault"), (value) => asChoice(value, "a fault", FAULTS)) ?? null,
    json: given("json") === true,
  };
}

function defaultReaders(cores: number): number {
  return Math.min(READERS.max, Math.max(READERS.min, cores - 1));
}

function selectProtocols(given: GivenFlags): readonly KnownProtocol[] {
  if (given("all") === true) return PROTOCOLS;
  const names = PROTOCOLS.map(({ name }) => name);
  const name = readFlag("--protocol", given("protocol"), (value) => asChoice(value, "a protocol", names));
  return [PROTOCOLS.find((protocol) => protocol.name === name) ?? SHIPPED];
}

function asRunTime(value: unknown): Ns {
  const ns = asDuration(value);
  const accepted = `${formatDuration(DURATION.min)} to ${formatDuration(DURATION.max)}`;
  return isOutside(ns, DURATION) ? refuse(showNs(ns), "a length of a run", accepted) : ns;
}

const PROTOCOL_FLAGS = [
  ["protocol", "--protocol"],
  ["protocolFile", "--protocol-file"],
  ["all", "--all"],
] as const;

function refuseTogether(given: GivenFlags): void {
  const isGiven = ([name]: readonly [string, string]) => given(name) !== undefined;
  const selecting = PROTOCOL_FLAGS.filter(isGiven).map(([, flag]) => flag);
  if (selecting.length > 1) throw new StealclockError("bad-input", `${selecting.join(" and ")}: accepted: one of them`);
  if (given("fault") === undefined) return;
  if (selecting.length > 0) {
    throw new StealclockError(
      "bad-input",
      `--fault is one of the shipped protocol; accepted: no ${selecting[0]} with it`,
    );
  }
  if (given("pages") !== undefined) {
    throw new StealclockError("bad-input", "--fault takes place on one page; accepted: no --pages with it");
  }
}
