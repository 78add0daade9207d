import type { Command } from "commander";
import { findOptionProblems } from "../engine/options-check.js";
import { type EmulateOptions, PROTOCOL_BACKENDS } from "../engine/result.js";
import type { Scenario } from "../engine/scenario.js";
import { throwProblems } from "../engine/scenario-problem.js";
import { StealclockError } from "../shared/errors.js";
import { type GivenFlags, readFlag } from "./given-flags.js";
import { asChoice, asDuration, asSize, refuse } from "./values.js";

/** How a scenario is run, which is no part of the scenario. All of it but what is of the protocol is the virtual engine's. */
export type RunFlags = Pick<
  EmulateOptions,
  "untilNs" | "dumpPages" | "events" | "checks" | "checkProtocol" | "protocolBackend"
>;

const FLAG_OF: Readonly<Record<keyof RunFlags, string>> = {
  untilNs: "--until",
  dumpPages: "--dump-pages",
  events: "--events",
  checks: "--no-checks",
  checkProtocol: "--check-protocol",
  protocolBackend: "--protocol-backend",
};

const DEFAULT_EVENTS_LIMIT = "64MiB";

/** Adds what either engine has. */
export function addProtocolFlags(command: Command): Command {
  return command
    .option("--check-protocol", "audit every read of a page for torn values, own and remote")
    .option("--protocol-backend <backend>", "what pages are written and read by: wasm, atomics (default wasm)");
}

/** Adds what the virtual engine alone has. */
export function addRunFlags(command: Command): Command {
  return command
    .option("--until <time>", "end the run at this instant (default its duration)")
    .option("--dump-pages <folder>", "write each vCPU's page as it is at the end into this folder")
    .option("--events <file>", "write each change of state to this file, a JSON line each")
    .option("--events-limit <size>", `stop writing events after so many bytes (default ${DEFAULT_EVENTS_LIMIT})`)
    .option("--no-checks", "leave the checkers out, for speed")
    .option("--full-checks", "watch every property that the fuzzer does");
}

/** @throws StealclockError `bad-input`, naming the flag */
export function readRunFlags(given: GivenFlags): RunFlags {
  const untilNs = readFlag("--until", given("until"), asDuration);
  const dumpPages = readFlag("--dump-pages", given("dumpPages"), asPath);
  const file = readFlag("--events", given("events"), asPath);
  const limit = given("eventsLimit");
  if (limit !== undefined && file === undefined) {
    throw new StealclockError("bad-input", "--events-limit: there are no events to limit; accepted: with --events");
  }
  if (given("checks") === false && given("fullChecks") === true) {
    throw new StealclockError("bad-input", "--full-checks: contradicts --no-checks; accepted: one of them");
  }
  if (given("checks") === false && given("checkProtocol") === true) {
    throw new StealclockError("bad-input", "--check-protocol: contradicts --no-checks; accepted: one of them");
  }
  const protocolBackend = readFlag("--protocol-backend", given("protocolBackend"), (value) =>
    asChoice(value, "a backend of the protocol", PROTOCOL_BACKENDS),
  );
  const maxBytes = readFlag("--events-limit", limit ?? DEFAULT_EVENTS_LIMIT, asSize) ?? 0;
  return {
    ...(untilNs !== undefined && { untilNs }),
    ...(dumpPages !== undefined && { dumpPages }),
    ...(file !== undefined && { events: { file, maxBytes } }),
    ...(given("checks") === false && { checks: false }),
    ...(given("fullChecks") === true && { checks: "full" }),
    ...(given("checkProtocol") === true && { checkProtocol: true }),
    ...(protocolBackend !== undefined && { protocolBackend }),
  };
}

/** @throws StealclockError `bad-input` when a flag does not go with the scenario */
export function checkRunFlags(flags: RunFlags, scenario: Scenario): void {
  throwProblems(findOptionProblems(scenario, flags), ({ path }) => (isRunFlag(path) ? FLAG_OF[path] : path));
}

function isRunFlag(name: string): name is keyof RunFlags {
  return Object.hasOwn(FLAG_OF, name);
}

function asPath(value: unknown): string {
  return typeof value === "string" && value !== "" ? value : refuse(value, "a path", "a path");
}
