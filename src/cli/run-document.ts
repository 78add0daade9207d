import { z } from "zod";
import type { RunResult } from "../engine/result.js";
import type { AccountingName } from "../engine/scenario.js";
import { StealclockError } from "../shared/errors.js";
import { readInputFile } from "./input-file.js";
import { pathText } from "./path-text.js";

const SCHEMA = "stealclock.run/1";
const RUN_LIMITS = {
  maxBytes: 268_435_456,
  accepted: `a run document (${SCHEMA}), as emulate --json prints it; npm run needs -s`,
};
/** Of all that is wrong in a document, so many are told. */
const MAX_PROBLEMS = 3;

const ns = z.number();
const counter = z.number().min(0);

/** Each rule by its name: the compiler misses one that is added. */
const ACCOUNTING = {
  none: "none",
  "rfc-v2": "rfc-v2",
  mainline: "mainline",
} as const satisfies Record<AccountingName, AccountingName>;

/** What is read of a vCPU, here or in what explains a run. A document may hold more. */
const vcpuSchema = z.looseObject({
  id: z.int().min(0),
  guest: z.looseObject({
    accounting: z.enum(ACCOUNTING),
    stealEnabled: z.boolean(),
    userNs: ns,
    systemNs: ns,
    idleNs: ns,
    stealNs: ns,
    stealDroppedIdleNs: ns,
    lostTicks: counter,
    softlockups: z.looseObject({ reported: counter, suppressed: counter }),
  }),
  host: z.looseObject({
    runNs: ns,
    waitNs: ns,
    haltNs: ns,
    entries: counter,
    wait: z.looseObject({ maxNs: ns }),
    noiseNs: ns.nullable(),
  }),
  page: z.looseObject({ gpa: z.number().nullable(), refused: z.string().nullable(), updates: counter }),
  reads: z.looseObject({ gaveUp: counter }),
});

const runSchema = z.looseObject({
  engine: z.enum(["real", "virtual"]),
  // Documents of before there was a virtual engine have none.
  seed: z.number().nullable().optional(),
  elapsedNs: ns.min(0),
  stoppedEarly: z.boolean(),
  ok: z.boolean(),
  config: z.looseObject({
    host: z.enum(["fair", "linux"]),
    pcpus: z.number(),
    update: z.looseObject({ kind: z.string() }),
    measure: z.string(),
    stealFeature: z.boolean(),
    accounting: z.string(),
    hz: z.number().positive(),
    watchdog: z.looseObject({ mode: z.string() }),
    vcpus: z.array(z.looseObject({ workload: z.looseObject({ kind: z.string() }), tickPhaseNs: ns })).min(1),
  }),
  vcpus: z.array(vcpuSchema).min(1),
});

/**
 * Reads a run document. Only what is compared and explained is checked; the rest is there as it was written.
 *
 * @throws StealclockError `bad-input`: the file cannot be read, is not JSON, is another document or lacks something
 */
export function readRunDocument(file: string): RunResult {
  const document = parseJson(file, readInputFile(file, RUN_LIMITS).toString("utf8"));
  const found = schemaOf(document);
  if (found !== SCHEMA) {
    const what = found === undefined ? "no schema is named in it" : `its schema is ${JSON.stringify(found)}`;
    throw new StealclockError("bad-input", `${file}: ${what}; accepted: ${RUN_LIMITS.accepted}`);
  }
  const outcome = runSchema.safeParse(document);
  if (outcome.success) return document as RunResult;
  const { issues } = outcome.error;
  const lines = issues.slice(0, MAX_PROBLEMS).map((issue) => `${file}: ${placeOf(issue)}: ${issue.message}`);
  const more = issues.length - lines.length;
  const rest = more > 0 ? `${more} more; ` : "";
  throw new StealclockError("bad-input", [...lines, `${rest}accepted: ${RUN_LIMITS.accepted}`].join("\n"));
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StealclockError("bad-input", `${file}: not JSON: ${reason}; accepted: ${RUN_LIMITS.accepted}`);
  }
}

function schemaOf(document: unknown): unknown {
  return typeof document === "object" && document !== null && "schema" in document ? document.schema : undefined;
}

function placeOf({ path }: z.core.$ZodIssue): string {
  return pathText(path.map((step) => (typeof step === "symbol" ? String(step) : step)));
}
