import { z } from "zod";
import { Refused } from "./values.js";

/** What editors see of a value in the JSON Schema. */
export interface EditorHint {
  readonly type: string | string[];
  readonly description: string;
  readonly [keyword: string]: unknown;
}

/** A value of a scenario file that one of our own parsers reads, in whose words it is refused. */
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
