import type { z } from "zod";
import {
  faultSchema,
  hostTaskSchema,
  type Path,
  SETTING_KEYS,
  type Settings,
  scenarioSchema,
  vcpuEntrySchema,
} from "./scenario-schema.js";
import { didYouMean } from "./suggest.js";
import { timelineEntrySchema } from "./timeline-schema.js";
import { show } from "./values.js";

/** A refused value: where in the settings, whether its key or its value is at fault, and what is accepted. */
interface Refusal {
  readonly path: Path;
  readonly at: "key" | "value";
  readonly message: string;
}

type ParseOutcome = { readonly settings: Settings } | { readonly refusals: readonly Refusal[] };

/** Parses what a file or the flags hold. */
export function parseSettings(raw: unknown): ParseOutcome {
  const outcome = scenarioSchema.safeParse(raw, { reportInput: true });
  if (outcome.success) return { settings: outcome.data };
  return { refusals: outcome.error.issues.flatMap((issue) => refusalsOf(issue, [])) };
}

function refusalsOf(issue: z.core.$ZodIssue, parents: Path): Refusal[] {
  const path = [...parents, ...issue.path.map((step) => (typeof step === "symbol" ? String(step) : step))];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path: [...path, key], at: "key", message: unknownKey(key, path) }));
    case "invalid_union":
      return closestBranch(issue.errors).flatMap((inner) => refusalsOf(inner, path));
    case "invalid_type":
      return [{ path, at: "value", message: wrongShape(issue) }];
    case "too_small":
      return [{ path, at: "value", message: "an empty list is not accepted; accepted: at least one entry" }];
    default:
      return [{ path, at: "value", message: issue.message }];
  }
}

/** Of the branches of a union, the one that got furthest into the value: that is what its writer had in mind. */
function closestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] {
  const rank = (issues: readonly z.core.$ZodIssue[]) => {
    const [first] = issues;
    if (first === undefined) return 0;
    if (first.code === "unrecognized_keys" || first.code === "too_small" || first.path.length > 0) return 2;
    return first.code === "invalid_type" ? 0 : 1;
  };
  return branches.reduce((best, branch) => (rank(branch) > rank(best) ? branch : best), branches[0] ?? []);
}

function wrongShape(issue: z.core.$ZodIssueInvalidType): string {
  const accepted = issue.expected === "array" ? "a list" : "a map of settings";
  return `${show(issue.input)} is not ${accepted}; accepted: ${accepted}`;
}

function unknownKey(key: string, parents: Path): string {
  const accepted = acceptedKeys(parents);
  return `unknown key ${JSON.stringify(key)}${didYouMean(key, accepted)}; accepted: ${accepted.join(", ")}`;
}

function acceptedKeys(parents: Path): readonly string[] {
  switch (parents[0]) {
    case undefined:
      return SETTING_KEYS;
    case "vcpus":
      return Object.keys(vcpuEntrySchema.shape);
    case "hostTasks":
      return Object.keys(hostTaskSchema.shape);
    case "faults":
      return Object.keys(faultSchema.shape);
    case "timeline":
      return Object.keys(timelineEntrySchema.shape);
    default:
      return [];
  }
}
