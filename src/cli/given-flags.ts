import type { Command } from "commander";
import { StealclockError } from "../shared/errors.js";
import { Refused } from "./values.js";

/** The value of a flag by the name that commander gives it; undefined when it is not on the command line. */
export type GivenFlags = (name: string) => unknown;

export function givenFlags(command: Command): GivenFlags {
  return (name) => (command.getOptionValueSource(name) === "cli" ? command.getOptionValue(name) : undefined);
}

/**
 * Reads one flag that is no setting of the scenario.
 *
 * @returns undefined when it was not given
 * @throws StealclockError `bad-input`, naming the flag
 */
export function readFlag<T>(flag: string, value: unknown, parse: (value: unknown) => T): T | undefined {
  if (value === undefined) return undefined;
  try {
    return parse(value);
  } catch (error) {
    if (error instanceof Refused) throw new StealclockError("bad-input", `${flag}: ${error.message}`);
    throw error;
  }
}
