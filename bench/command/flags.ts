import { Command, InvalidArgumentError, Option } from "commander";
import type { Effort } from "../harness/trial.js";

/** The command line of the bench, read. */
export interface BenchFlags {
  readonly json: boolean;
  /** Parts of "group/name"; empty for all. */
  readonly filter: readonly string[];
  readonly effort: Effort;
  /** How many processes measure everything, one after the other. */
  readonly processes: number;
  readonly save: string | null;
  /** A file of an earlier run. */
  readonly compare: string | null;
  /** The share by which a ratio may get worse. */
  readonly maxRegression: number;
}

// Seven, as the lowest and the highest of seven medians enclose the true one with more than 97.5 %.
const FULL_PROCESSES = 7;

// Of each process. Many short rounds rather than a few long ones: what disturbs the machine then falls on both sides of a ratio, or spoils a few.
const FULL: Effort = {
  quick: false,
  rounds: 6,
  samplesPerRound: 5,
  batchNs: 1_000_000,
  warmUpNs: 60_000_000,
  windowMs: 200,
};
const QUICK: Effort = {
  quick: true,
  rounds: 7,
  samplesPerRound: 3,
  batchNs: 1_000_000,
  warmUpNs: 20_000_000,
  windowMs: 40,
};

/** What commander leaves of the command line. */
interface GivenOptions {
  readonly quick?: boolean;
  readonly filter?: readonly string[];
  readonly json?: boolean;
  readonly save?: string;
  readonly compare?: string;
  readonly maxRegression: number;
  readonly rounds?: number;
  readonly processes?: number;
}

/** @throws CommanderError after it has said what is wrong */
export function readBenchFlags(argv: readonly string[], write: (text: string) => void): BenchFlags {
  const command = new Command("bench")
    .description("What the protocol costs, alone, under contention and end to end, beside what one could have used.")
    .option("--quick", "fewer and shorter rounds: under 30 s in all")
    .option(
      "--filter <text>",
      "rows with a word of group/name that begins so, or with one of several with commas between",
      asParts,
    )
    .option("--json", "one JSON document on stdout and nothing else")
    .option("--save <file>", "keep the figures", asFile)
    .option("--compare <file>", "set the ratios beside those that --save kept; exit 1 when one got too bad", asFile)
    .addOption(
      new Option("--max-regression <percent>", "how much worse a ratio may be").argParser(asShare).default(0.1, "10%"),
    )
    // For tests: one round says nothing.
    .addOption(new Option("--rounds <n>").argParser(asRounds).hideHelp())
    .helpOption("-h, --help", "show this")
    // One of those that together are a run.
    .addOption(new Option("--processes <n>").argParser(asRounds).hideHelp())
    .exitOverride()
    .showHelpAfterError("bench: accepted: see npm run bench -- --help")
    .configureOutput({ writeErr: write });
  command.parse([...argv], { from: "user" });
  const given = command.opts<GivenOptions>();
  if (given.compare === undefined && command.getOptionValueSource("maxRegression") === "cli") {
    command.error("bench: --max-regression: accepted: with --compare");
  }
  const effort = given.quick === true ? QUICK : FULL;
  return {
    json: given.json === true,
    filter: given.filter ?? [],
    effort: { ...effort, rounds: given.rounds ?? effort.rounds },
    processes: given.processes ?? (effort.quick ? 1 : FULL_PROCESSES),
    save: given.save ?? null,
    compare: given.compare ?? null,
    maxRegression: given.maxRegression,
  };
}

function asParts(text: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.includes(""))
    throw new InvalidArgumentError(
      "accepted: parts of group/name from the beginning of a word on, such as read.shipped",
    );
  return parts;
}

/** Not the next flag, where the file was forgotten. */
function asFile(text: string): string {
  if (text === "" || text.startsWith("-"))
    throw new InvalidArgumentError("accepted: a file; ./-x for one that begins with -");
  return text;
}

function asShare(text: string): number {
  const [, digits] = /^(\d{1,4}(?:\.\d+)?)%$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError("accepted: a percentage such as 10%");
  return Number(digits) / 100;
}

function asRounds(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("accepted: 1 to 9999");
  return Number(text);
}
