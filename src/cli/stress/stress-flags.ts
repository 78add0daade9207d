import type { Command } from "commander";
import { isOutside, type Range, showNs } from "../../engine/scenario-limits.js";
import { formatDuration, NS_PER_DAY, NS_PER_MS, NS_PER_SECOND, type Ns } from "../../shared/units.js";
import type { KnownProtocol } from "../../verify/protocols.js";
import { FAULTS, type Fault } from "../../verify/stress/stress-run.js";
import { givenFlags, readFlag } from "../given-flags.js";
import { asChoice, asDuration, asInteger, refuse, scalarOf } from "../values.js";
import { refuseTogether, selectProtocols } from "./stress-protocols.js";

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
    .option("--protocol-backend <backend>", "which of the two that ship: wasm, atomics (default wasm, as emulate)")
    .option("--protocol <name>", "a protocol by name; those that ship are shipped-wasm and shipped (atomics)")
    .option("--all", "every protocol in turn, those that ship last")
    .option("--protocol-file <file>", "a protocol of your own: a module that exports write and read")
    .option("--fault <name>", `let something go wrong in what ships: ${FAULTS.join(", ")}`)
    .option("--json", "one JSON document on stdout, schema stealclock.stress/1");
}

/**
 * @param cores that this process may use
 * @param warn told when the WebAssembly backend can't be used, and so is not run
 * @throws StealclockError "bad-input", naming the flag and what is accepted
 */
export function readStressFlags(command: Command, cores: number, warn: (message: string) => void): StressFlags {
  const given = givenFlags(command);
  refuseTogether(given);
  const number = (name: string, flag: string, what: string, range: Range) =>
    readFlag(flag, given(name), (value) => asInteger(scalarOf(String(value)), what, range));
  return {
    protocols: selectProtocols(given, warn),
    protocolFile: readFlag("--protocol-file", given("protocolFile"), String) ?? null,
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

function asRunTime(value: unknown): Ns {
  const ns = asDuration(value);
  const accepted = `${formatDuration(DURATION.min)} to ${formatDuration(DURATION.max)}`;
  return isOutside(ns, DURATION) ? refuse(showNs(ns), "a length of a run", accepted) : ns;
}
