import { z } from "zod";
import { LIMITS } from "../../engine/scenario-limits.js";
import { parsed } from "../schema-parts.js";
import { asChoice, parseNumberSet, Refused } from "../values.js";
import { FIGURE_NAMES, FIGURES, type FigureName, unitOf } from "./figures.js";
import { asRange, type Range, rangeForms } from "./range.js";

/*
 * What `expect:` in a scenario file may hold. An unknown figure, an empty map or a range in the wrong unit is an error: an
 * expectation that is not understood must never pass.
 */

const NOTHING_EXPECTED = "an empty map expects nothing; accepted: at least one entry, or leave it out";

function rangeOf(name: FigureName) {
  const figure = FIGURES[name];
  const unit = unitOf(figure);
  const isCount = unit === "";
  return parsed((raw): Range => asRange(raw, unit), {
    type: isCount ? ["integer", "string"] : "string",
    ...(isCount && { minimum: 0 }),
    description: `${figure.meaning}: ${rangeForms(unit)}.`,
  }).optional();
}

const figureRanges = Object.fromEntries(FIGURE_NAMES.map((name) => [name, rangeOf(name)])) as Record<
  FigureName,
  ReturnType<typeof rangeOf>
>;

const rangesSchema = z
  .strictObject(figureRanges)
  .refine((ranges) => Object.keys(ranges).length > 0, { error: NOTHING_EXPECTED })
  .meta({ minProperties: 1 });

/** Ranges of one vCPU, or of all together. */
export type Ranges = z.output<typeof rangesSchema>;

const vcpuKey = z.string().superRefine((key, context) => {
  try {
    vcpusOf(key);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    context.addIssue({ code: "custom", message: error.message });
  }
});

/** The vCPUs that a key of `vcpus` names: a number, a range, or several joined by +. */
function vcpusOf(key: string): number[] {
  return parseNumberSet(key, "a set of vCPUs", LIMITS.count.max - 1);
}

export const expectSchema = z
  .strictObject({
    all: rangesSchema.optional().describe("What is true of every vCPU by itself."),
    vcpus: z
      .record(vcpuKey, rangesSchema)
      .refine((groups) => Object.keys(groups).length > 0, { error: NOTHING_EXPECTED })
      .meta({ minProperties: 1 })
      .transform((groups) => Object.entries(groups).map(([key, ranges]) => ({ key, vcpus: vcpusOf(key), ranges })))
      .optional()
      .describe('What is true of some vCPUs, by number: 0, "1-3", "0+2-5".'),
    total: rangesSchema.optional().describe("What is true of all vCPUs together: sums, and shares of the summed time."),
    invariants: parsed((raw) => asChoice(raw, "an expectation", ["ok"]), {
      type: "string",
      enum: ["ok"],
      description: "No invariant is broken: expected of every run, whether it says so or not.",
    }).optional(),
  })
  .refine((expect) => Object.keys(expect).length > 0, { error: NOTHING_EXPECTED })
  .meta({ minProperties: 1, description: "What the run must find, for stealclock scenarios check." });

/** What a scenario file expects of its run. */
export type Expectations = z.output<typeof expectSchema>;

/** The keys that may stand at a place inside `expect`, for messages. @param parents the keys on the way there */
export function acceptedExpectKeys([section]: readonly (string | number)[]): readonly string[] {
  return section === undefined ? Object.keys(expectSchema.shape) : FIGURE_NAMES;
}
