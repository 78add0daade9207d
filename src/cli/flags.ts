import type { Command } from "commander";
import { LIMITS } from "../engine/scenario-limits.js";
import type { Ns } from "../shared/units.js";
import { givenFlags, readFlag } from "./given-flags.js";
import { refusePlaces } from "./placed-problem.js";
import { addProtocolFlags, addRunFlags, type RunFlags, readRunFlags } from "./run-flags.js";
import type { SettingsSource } from "./scenario-file.js";
import { FAIR_ONLY, LINUX_ONLY, type SettingKey, VIRTUAL_ONLY } from "./scenario-schema.js";
import { parseSettings } from "./settings-parse.js";
import {
  asChoice,
  asDuration,
  HOST_TASK_FORMS,
  refuse,
  scalarOf,
  TICK_PHASE_FORMS,
  UPDATE_FORMS,
  WORKLOAD_FORMS,
} from "./values.js";

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a run of `emulate` prints, and where. */
export interface ViewFlags {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly live: boolean;
  readonly printConfig: boolean;
  readonly sampleNs: Ns | null;
  readonly logLevel: LogLevel;
}

/** The flags of `emulate`, read. */
export interface EmulateFlags {
  readonly settings: SettingsSource;
  /** The scenario's file or bare name, or null. */
  readonly scenario: string | null;
  readonly run: RunFlags;
  readonly view: ViewFlags;
  /** The command line as it was given. */
  readonly argv: readonly string[];
}

/** Each setting's flag and help. Values are checked by the schema, not by commander. */
const SETTING_FLAGS: readonly (readonly [key: SettingKey, flag: string, help: string])[] = [
  ["engine", "--engine <kind>", "real: a thread for each vCPU; virtual: one loop over a virtual clock (default real)"],
  ["vcpus", "--vcpus <n>", "virtual CPUs, 1 to 1024, in the virtual engine to 100000 (default 2)"],
  ["duration", "--duration <time>", "length of the run, such as 500ms, 3s, 2m (default 3s)"],
  ["host", "--host <kind>", "fair: emulated pCPUs; linux: the real scheduler (default fair)"],
  [
    "pcpus",
    "--pcpus <n>",
    "emulated physical CPUs (default half the vCPUs; in the real engine at most the cores less one)",
  ],
  ["slice", "--slice <time>", "time slice, 100us to 10s (default 4ms)"],
  ["update", "--update <policy>", `when the host writes the page: ${UPDATE_FORMS} (default entry)`],
  ["measure", "--measure <what>", "what counts as stolen: out-of-guest, wait (default out-of-guest)"],
  ["stealUnit", "--steal-unit <unit>", "ms: the 32-bit field; ns: the 64-bit extension (default ms)"],
  ["stealFeature", "--no-steal-feature", "a host that does not offer steal time"],
  ["accounting", "--accounting <rule>", "the guest's tick accounting: none, rfc-v2, mainline (default rfc-v2)"],
  ["hz", "--hz <n>", "ticks per second: 100, 250, 300, 1000 (default 250)"],
  [
    "tickPhase",
    "--tick-phase <where>",
    `where the vCPUs' tick grids start: ${TICK_PHASE_FORMS} (default staggered, in the virtual engine random)`,
  ],
  ["tscKhz", "--tsc-khz <n>", "TSC frequency, 100000 to 10000000 (default 2600000)"],
  ["watchdog", "--watchdog <rule>", "softlockup watchdog: steal-aware, plain (default steal-aware)"],
  ["watchdogThreshold", "--watchdog-threshold <time>", "a softlockup after this long without a touch (default 20s)"],
  [
    "watchdogPeriod",
    "--watchdog-period <time>",
    "how often the watchdog task runs (default a fifth of the threshold: 4s)",
  ],
  ["workload", "--workload <spec>", `what the guests run: ${WORKLOAD_FORMS}; or by vCPU: 0-3=hog,4=idle (default hog)`],
  ["nice", "--nice <spec>", "nice of the vCPU threads: 5, or 0=5,1-3=-5 (default 0)"],
  ["pin", "--pin <spec>", "pCPUs that vCPUs may run on: 0-1, or 0=0,1-3=0-1, or 0=0+2 (default any)"],
  ["hostTasks", "--host-task <spec>", `a competing task of the host, may be repeated: ${HOST_TASK_FORMS}`],
  ["pageMemory", "--page-memory <kind>", "what a guest finds in its page before it boots: zero, junk (default zero)"],
  ["seed", "--seed <n>", "where all chance comes from, 0 to 4294967295 (default drawn, and printed)"],
  ["startAt", "--start-at <time>", "how long the machine has been up when the run starts (default 0)"],
  ["jitter", "--jitter <share>", "how far bursts of duty and mixed workloads stray, 0% to 50% (default 0%)"],
  ["wakeLatency", "--wake-latency <time>", "a grant reaches its vCPU up to so much later, at most 1s (default 0)"],
  ["hostNoise", "--host-noise <time>", "a kick reaches its vCPU up to so much later, at most 1s (default 0)"],
  ["poll", "--poll <time>", "how often the linux host reads schedstat, 100us to 1s (default 1ms)"],
];

/** Adds the flags of `emulate` to a command. */
export function addEmulateFlags(command: Command): Command {
  const isShared = (key: SettingKey) => ![...FAIR_ONLY, ...LINUX_ONLY, ...VIRTUAL_ONLY].includes(key);
  command.optionsGroup("What runs (flags win over the scenario file):");
  command.option("--scenario <file>", "a YAML file, or the name of a shipped scenario");
  addSettingFlags(command, isShared);
  // So that a flag can win over a file that says no.
  command.option("--steal-feature", "a host that offers steal time (default)");
  addProtocolFlags(command);
  addSettingFlags(command.optionsGroup("The fair host only:"), (key) => FAIR_ONLY.includes(key));
  addSettingFlags(command.optionsGroup("The linux host only:"), (key) => LINUX_ONLY.includes(key));
  addSettingFlags(command.optionsGroup("The virtual engine only:"), (key) => VIRTUAL_ONLY.includes(key));
  addRunFlags(command);
  return command
    .optionsGroup("What is shown:")
    .option("--print-config", "print the resolved scenario as YAML and leave")
    .option("--sample <time>", "a JSON line per sample on stdout, 10ms to 1d apart; the table goes to stderr")
    .option("--json", "one JSON document on stdout and nothing else")
    .option("--quiet", "say only what is broken")
    .option("--no-live", "no live view and no progress on a terminal")
    .option("--log-level <level>", `${LOG_LEVELS.join(", ")} (default warn, with --quiet error); logs go to stderr`)
    .helpOption("-h, --help", "show this");
}

function addSettingFlags(command: Command, isWanted: (key: SettingKey) => boolean): void {
  for (const [key, flag, help] of SETTING_FLAGS) {
    if (!isWanted(key)) continue;
    if (key === "hostTasks") command.option(flag, help, (text: string, before: string[] = []) => [...before, text]);
    else command.option(flag, help);
  }
}

/**
 * Reads the flags that were given; what was not given stays undefined, for the file or the default to say.
 *
 * @param argv the command line as it was given
 * @throws StealclockError `bad-input`, naming the flag
 */
export function readEmulateFlags(command: Command, argv: readonly string[]): EmulateFlags {
  const given = givenFlags(command);
  const raw: Record<string, unknown> = {};
  for (const [key, flag] of SETTING_FLAGS) {
    const value = given(optionName(flag));
    if (value !== undefined) raw[key] = typeof value === "string" ? scalarOf(value) : value;
  }
  const { settings, refusals } = parseSettings(raw);
  refusePlaces(refusals.map(({ path, message }) => ({ where: flagOf(path[0]), message })));
  const scenario = given("scenario");
  const quiet = given("quiet") === true;
  return {
    settings: { settings, where: (path) => flagOf(path[0]) },
    scenario: typeof scenario === "string" ? scenario : null,
    run: readRunFlags(given),
    argv,
    view: {
      json: given("json") === true,
      quiet,
      live: given("live") !== false,
      printConfig: given("printConfig") === true,
      sampleNs: readFlag("--sample", given("sample"), asSampleInterval) ?? null,
      logLevel:
        readFlag("--log-level", given("logLevel"), (value) => asChoice(value, "a log level", LOG_LEVELS)) ??
        (quiet ? "error" : "warn"),
    },
  };
}

function asSampleInterval(value: unknown): Ns {
  const ns = asDuration(value);
  const { min, max } = LIMITS.sampleNs;
  return ns >= min && ns <= max ? ns : refuse(value, "a sample interval", "10ms to 1d");
}

/** The flag of a setting: "hostTasks" is "--host-task". */
function flagOf(key: string | number | undefined): string {
  const found = SETTING_FLAGS.find(([name]) => name === key);
  return found?.[1].split(" ")[0] ?? `--${key}`;
}

/** The name that commander gives an option: "--no-steal-feature" is "stealFeature". */
function optionName(flag: string): string {
  const words = (flag.split(" ")[0] ?? "").replace(/^--(no-)?/, "").split("-");
  return words.map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1))).join("");
}
