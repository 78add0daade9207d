import { z } from "zod";
import { HZ_VALUES, LIMITS } from "../engine/scenario-check.js";
import { expectSchema } from "./expect/expect-schema.js";
import { parsed } from "./schema-parts.js";
import {
  asBoolean,
  asChoice,
  asDuration,
  asHostWorkload,
  asInteger,
  asNice,
  asPcpuSet,
  asPerVcpu,
  asUpdate,
  asWorkload,
  HOST_TASK_FORMS,
  parseHostTask,
  refuse,
  UPDATE_FORMS,
  WORKLOAD_FORMS,
} from "./values.js";

/*
 * What a scenario file may hold. Flags go through the same schema, so a value is refused in the same words wherever it
 * comes from. Ranges that only mean something in the whole scenario are checked after resolution.
 */

function duration(description: string) {
  const pattern = "^(0|\\d+(\\.\\d+)?(ns|us|ms|s|m|h|d))$";
  return parsed(asDuration, { type: ["string", "integer"], pattern, maximum: 0, description, examples: ["4ms"] });
}

function choice<const T extends string | number>(what: string, choices: readonly T[], description: string) {
  const type = typeof choices[0] === "number" ? "integer" : "string";
  return parsed((raw) => asChoice(raw, what, choices), { type, enum: [...choices], description });
}

function integer(what: string, range: { readonly min: number; readonly max: number }, description: string) {
  const hint = { type: "integer", minimum: range.min, maximum: range.max, description };
  return parsed((raw) => asInteger(raw, what, range), hint);
}

function boolean(description: string) {
  return parsed(asBoolean, { type: "boolean", description });
}

const pcpuNumber = { type: "integer", minimum: 0, maximum: LIMITS.pcpus.max - 1 };
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
  count: integer("a number of vCPUs", LIMITS.vcpus, "How many vCPUs in a row are like this one (1).").optional(),
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
    (raw) => (raw === "hypervisor" ? raw : asInteger(raw, "a part of the run", { min: 0, max: LIMITS.vcpus.max - 1 })),
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
  duration: duration("How long the run lasts (3s).").optional(),
  vcpus: z
    .union([
      parsed(
        (raw) =>
          typeof raw === "number"
            ? asInteger(raw, "a number of vCPUs", LIMITS.vcpus)
            : refuse(
                raw,
                "a number of vCPUs",
                `an integer from ${LIMITS.vcpus.min} to ${LIMITS.vcpus.max}, or in a file a list of vCPUs`,
              ),
        { type: "integer", minimum: LIMITS.vcpus.min, maximum: LIMITS.vcpus.max, description: "How many vCPUs (2)." },
      ),
      z.array(vcpuEntrySchema).min(1),
    ])
    .optional(),
  pcpus: integer(
    "a number of pCPUs",
    LIMITS.pcpus,
    "Emulated pCPUs (half the vCPUs, at most the cores less one).",
  ).optional(),
  slice: duration("Time slice of the fair host (4ms).").optional(),
  update: parsed(asUpdate, {
    type: "string",
    description: `When the host writes the page: ${UPDATE_FORMS} (entry).`,
    pattern: "^(entry|pcpu-change|periodic=.+)$",
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
  tickPhase: duration("Where the tick grid of every vCPU starts (staggered when left out).").optional(),
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

export type Path = readonly (string | number)[];
