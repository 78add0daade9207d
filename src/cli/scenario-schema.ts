import { z } from "zod";
import { ACCEPTED_COUNTS, COUNT_LIMITS, HZ_VALUES, LIMITS } from "../engine/scenario-limits.js";
import { expectSchema } from "./expect/expect-schema.js";
import { boolean, choice, count, duration, integer, parsed } from "./schema-parts.js";
import { timelineEvent } from "./timeline-schema.js";
import {
  asCount,
  asHostWorkload,
  asInteger,
  asJitter,
  asNice,
  asPcpuSet,
  asPerVcpu,
  asTickPhase,
  asUpdate,
  asWorkload,
  HOST_TASK_FORMS,
  parseHostTask,
  refuse,
  TICK_PHASE_FORMS,
  UPDATE_FORMS,
  WORKLOAD_FORMS,
} from "./values.js";

/*
 * What a scenario file may hold. Flags go through the same schema, so a value is refused in the same words wherever it
 * comes from. Ranges that only mean something in the whole scenario are checked after resolution.
 */

const pcpuNumber = { type: "integer", minimum: 0, maximum: LIMITS.count.max - 1 };
const pcpuSet = parsed(asPcpuSet, {
  type: ["integer", "string", "array"],
  items: pcpuNumber,
  minItems: 1,
  minimum: 0,
  description: "pCPUs that it may run on: a number, a range or a list. All of them when left out.",
  examples: [0, "0-1", [0, 2]],
});

const niceRange = { minimum: LIMITS.nice.min, maximum: LIMITS.nice.max };
const nice = parsed(asNice, { type: "integer", ...niceRange, description: "Nice value, weighted as the kernel does." });

export const vcpuEntrySchema = z.strictObject({
  count: count("a number of vCPUs", "How many vCPUs in a row are like this one (1).").optional(),
  workload: parsed(asWorkload, { type: "string", description: `What its guest runs: ${WORKLOAD_FORMS}.` }).optional(),
  nice: nice.optional(),
  pcpus: pcpuSet.optional(),
  phase: duration("Where its tick grid starts after the run's start; below one tick.").optional(),
  gpa: integer(
    "an address",
    { min: 0, max: Number.MAX_SAFE_INTEGER },
    "Guest physical address of its pvclock page, as the guest registers it; the host may refuse it.",
  ).optional(),
});

export const hostTaskSchema = z.strictObject({
  workload: parsed(asHostWorkload, { type: "string", description: "What it does: hog, duty:50%/10ms." }),
  nice: nice.optional(),
  pcpus: pcpuSet.optional(),
});

const hostTask = z.union([
  parsed((raw) => (typeof raw === "string" ? parseHostTask(raw) : refuse(raw, "a host task", HOST_TASK_FORMS)), {
    type: "string",
    description: `A task of the host in short: ${HOST_TASK_FORMS}.`,
    examples: ["hog@nice=5"],
  }),
  hostTaskSchema,
]);

export const faultSchema = z.strictObject({
  part: parsed(
    (raw) =>
      raw === "hypervisor" ? raw : asInteger(raw, "a part of the run", { min: 0, max: COUNT_LIMITS.real.max - 1 }),
    {
      type: ["integer", "string"],
      pattern: "^hypervisor$",
      minimum: 0,
      description: "A vCPU's number, or hypervisor.",
    },
  ),
  kind: choice("a way to die", ["throw", "exit", "out-of-memory"], "How the part dies."),
  after: duration("When it dies, from the run's start."),
});

function engine(description: string) {
  return choice("an engine", ["real", "virtual"], description);
}

export const scenarioSchema = z.strictObject({
  description: parsed((raw) => (typeof raw === "string" ? raw : refuse(raw, "a description", "text")), {
    type: "string",
    description: "What the scenario shows.",
  }).optional(),
  host: choice(
    "a host",
    ["fair", "linux"],
    "fair emulates pCPUs and a scheduler; linux takes the real one.",
  ).optional(),
  engine: engine("real: a thread for each vCPU; virtual: one loop over a virtual clock (real).").optional(),
  engines: z
    .array(engine("An engine."))
    .min(1)
    .meta({ description: "The engines that this scenario is meant for; without `engine` the first one is taken." })
    .optional(),
  duration: duration("How long the run lasts (3s).").optional(),
  seed: integer("a seed", LIMITS.seed, "Where all chance of the virtual engine comes from (drawn).").optional(),
  startAt: duration("How long the machine has been up when the run starts; virtual engine (0).").optional(),
  jitter: parsed(asJitter, {
    type: "string",
    pattern: "^\\d{1,2}%$",
    description: "How far bursts of duty and mixed workloads stray, 0% to 50%; virtual engine (0%).",
    examples: ["10%"],
  }).optional(),
  wakeLatency: duration("A grant reaches its vCPU up to so much later, at most 1s; virtual engine (0).").optional(),
  hostNoise: duration("A kick reaches its vCPU up to so much later, at most 1s; virtual engine (0).").optional(),
  timeline: z
    .array(timelineEvent)
    .meta({ description: "What happens to the machine while it runs; virtual engine." })
    .optional(),
  vcpus: z
    .union([
      parsed(
        (raw) =>
          asCount(
            raw,
            "a number of vCPUs",
            typeof raw === "number" ? ACCEPTED_COUNTS : `${ACCEPTED_COUNTS}, or in a file a list of vCPUs`,
          ),
        {
          type: "integer",
          minimum: LIMITS.count.min,
          maximum: LIMITS.count.max,
          description: "How many vCPUs (2); at most 1024 in the real engine.",
        },
      ),
      z.array(vcpuEntrySchema).min(1),
    ])
    .optional(),
  pcpus: count(
    "a number of pCPUs",
    "Emulated pCPUs (half the vCPUs; in the real engine at most the cores less one).",
  ).optional(),
  slice: duration("Time slice of the fair host (4ms).").optional(),
  update: parsed(asUpdate, {
    type: "string",
    description: `When the host writes the page: ${UPDATE_FORMS} (entry).`,
    pattern: "^(entry|pcpu-change|steal-entry|periodic=.+)$",
  }).optional(),
  measure: choice("a measure", ["out-of-guest", "wait"], "What counts as stolen (out-of-guest).").optional(),
  stealUnit: choice("a unit of steal", ["ms", "ns"], "ms: the 32-bit field; ns: the 64-bit extension (ms).").optional(),
  stealFeature: boolean("false: the host does not offer steal time (true).").optional(),
  accounting: choice(
    "an accounting rule",
    ["none", "rfc-v2", "mainline"],
    "The guest's tick accounting (rfc-v2).",
  ).optional(),
  hz: choice("a tick frequency", HZ_VALUES, "Ticks per second (250).").optional(),
  tickPhase: parsed(asTickPhase, {
    type: ["string", "integer"],
    maximum: 0,
    description: `Where the tick grids of the vCPUs start: ${TICK_PHASE_FORMS} (staggered; in the virtual engine random).`,
    examples: ["staggered", "random", "250us"],
  }).optional(),
  tscKhz: integer("a TSC frequency in kHz", LIMITS.tscKhz, "TSC frequency (2600000).").optional(),
  watchdog: choice("a watchdog rule", ["steal-aware", "plain"], "Softlockup watchdog (steal-aware).").optional(),
  watchdogThreshold: duration("A softlockup is reported after this long without a touch (20s).").optional(),
  watchdogPeriod: duration("The watchdog task runs this often (4s).").optional(),
  workload: parsed((raw) => asPerVcpu(raw, asWorkload), {
    type: "string",
    description: `For all vCPUs or by number: ${WORKLOAD_FORMS} (hog).`,
    examples: ["hog", "0-3=hog,4=idle"],
  }).optional(),
  nice: parsed((raw) => asPerVcpu(raw, asNice), {
    type: ["integer", "string"],
    ...niceRange,
    description: "Nice of the vCPU threads, for all or by number (0).",
    examples: [5, "0=5,1-3=-5"],
  }).optional(),
  pin: parsed((raw) => asPerVcpu(raw, asPcpuSet), {
    type: ["integer", "string"],
    minimum: 0,
    description: "pCPUs that the vCPUs may run on, for all or by number.",
    examples: [0, "0=0,1-3=0-1"],
  }).optional(),
  hostTasks: z.array(hostTask).optional(),
  pageMemory: choice(
    "a state of memory",
    ["zero", "junk"],
    "What a guest finds in the memory of its page before it boots (zero).",
  ).optional(),
  poll: duration("How often the linux host reads schedstat (1ms).").optional(),
  faults: z.array(faultSchema).optional(),
  expect: expectSchema.optional(),
});

/** The settings of one source, a file or the flags: values parsed, nothing filled in. */
export type Settings = z.output<typeof scenarioSchema>;
export type SettingKey = keyof Settings;
export const SETTING_KEYS = Object.keys(scenarioSchema.shape) as SettingKey[];

/** Means something only to a host that emulates pCPUs and their scheduler. */
export const FAIR_ONLY: readonly SettingKey[] = ["pcpus", "slice", "update", "measure", "nice", "pin", "hostTasks"];
export const LINUX_ONLY: readonly SettingKey[] = ["poll"];
/** Means something only in a time that is made up. */
export const VIRTUAL_ONLY: readonly SettingKey[] = [
  "seed",
  "startAt",
  "jitter",
  "wakeLatency",
  "hostNoise",
  "timeline",
];
/** Means something only where threads run on a real machine. */
export const REAL_ONLY: readonly SettingKey[] = ["poll", "faults"];

export type Path = readonly (string | number)[];
