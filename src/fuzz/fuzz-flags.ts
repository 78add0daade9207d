import { Command, InvalidArgumentError } from "commander";
import { LIMITS } from "../engine/scenario-limits.js";

/** What `npm run fuzz` is asked for. */
export interface FuzzFlags {
  readonly seeds: number;
  readonly seedFrom: number;
  readonly json: boolean;
  /** Runs the fuzzer against copies of the program with a fault in each. */
  readonly planted: boolean;
  /** One scenario file to run with every checker on, or null. */
  readonly scenario: string | null;
}

const DEFAULT_SEEDS = 1_000;
const DEFAULT_PLANTED_SEEDS = 300;
const SEEDS = LIMITS.seed.max + 1;

interface Options {
  readonly seeds?: number;
  readonly seedFrom: number;
  readonly json?: true;
  readonly planted?: true;
  readonly scenario?: string;
}

/**
 * Reads the fuzzer's flags.
 *
 * @param writeOut takes help and complaints
 * @throws CommanderError when there is nothing to run: exitCode 0 after help, any other for bad input
 */
export function readFuzzFlags(argv: readonly string[], writeOut: (text: string) => void): FuzzFlags {
  const command = new Command("fuzz")
    .description("Runs random scenarios through the virtual engine with every checker on.")
    .option("--seeds <n>", "how many scenarios (default 1000; with --planted 300 for each fault)", seedCount)
    .option("--seed-from <n>", "the first scenario's seed", firstSeed, 0)
    .option("--scenario <file>", "run this scenario file only")
    .option("--planted", "plant faults in copies of the program, and see that each is found")
    .option("--json", "print one JSON document")
    .exitOverride()
    .configureOutput({
      writeOut,
      writeErr: writeOut,
      outputError: (text, write) => write(text.replace(/^error: /, "fuzz: ")),
    });
  command.parse([...argv], { from: "user" });
  const options = command.opts<Options>();
  const { planted = false, scenario = null, json = false, seedFrom } = options;
  if (scenario !== null && (planted || options.seeds !== undefined || seedFrom !== 0)) {
    command.error("error: --scenario runs one file; accepted with it: --json");
  }
  const seeds = options.seeds ?? (planted ? DEFAULT_PLANTED_SEEDS : DEFAULT_SEEDS);
  if (seedFrom + seeds > SEEDS)
    command.error(`error: the last seed would be above ${SEEDS - 1}; accepted: fewer seeds`);
  return { seeds, seedFrom, json, planted, scenario };
}

function seedCount(text: string): number {
  return integerOf(text, 1, SEEDS);
}

function firstSeed(text: string): number {
  return integerOf(text, 0, SEEDS - 1);
}

function integerOf(text: string, least: number, most: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new InvalidArgumentError(`Accepted: an integer from ${least} to ${most}.`);
}
