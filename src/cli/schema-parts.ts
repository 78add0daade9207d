import { z } from "zod";
import { LIMITS, type Range } from "../engine/scenario-limits.js";
import { asBoolean, asChoice, asCount, asDuration, asInteger, Refused } from "./values.js";

/*
 * What the schema of a scenario file is made of: each value is read by a parser of values.ts.
 */

interface EditorHint {
  readonly type: string | string[];
  readonly description: string;
  readonly [keyword: string]: unknown;
}

/** A value that a parser reads; the hint is what editors see of it in the JSON Schema. */
export function parsed<T>(parse: (raw: unknown) => T, hint: EditorHint) {
  return z
    .unknown()
    .meta(hint)
    .transform((raw, context): T => {
      try {
        return parse(raw);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        context.addIssue({ code: "custom", message: error.message });
        return z.NEVER;
      }
    });
}

export function duration(description: string) {
  const pattern = "^(0|\\d+(\\.\\d+)?(ns|us|ms|s|m|h|d))$";
  return parsed(asDuration, { type: ["string", "integer"], pattern, maximum: 0, description, examples: ["4ms"] });
}

export function choice<const T extends string | number>(what: string, choices: readonly T[], description: string) {
  const type = typeof choices[0] === "number" ? "integer" : "string";
  return parsed((raw) => asChoice(raw, what, choices), { type, enum: [...choices], description });
}

export function integer(what: string, range: Range, description: string) {
  const hint = { type: "integer", minimum: range.min, maximum: range.max, description };
  return parsed((raw) => asInteger(raw, what, range), hint);
}

/** A number of vCPUs or pCPUs. */
export function count(what: string, description: string) {
  const { min, max } = LIMITS.count;
  return parsed((raw) => asCount(raw, what), { type: "integer", minimum: min, maximum: max, description });
}

export function boolean(description: string) {
  return parsed(asBoolean, { type: "boolean", description });
}
