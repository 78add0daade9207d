import { z } from "zod";
import { LIMITS } from "../engine/scenario-limits.js";
import { boolean, choice, duration, integer } from "./schema-parts.js";

/** An event of a timeline, as a scenario file holds it. */
export const timelineEntrySchema = z.strictObject({
  at: duration("When it happens, from the run's start."),
  event: choice(
    "an event",
    ["offline", "suspend", "migrate"],
    "offline: a vCPU's guest kernel takes it offline; suspend: the host stands still; migrate: the machine moves to another host.",
  ),
  for: duration("How long it lasts, 1us or more."),
  vcpu: integer("a vCPU", { min: 0, max: LIMITS.count.max - 1 }, "offline: the vCPU.").optional(),
  stealFeature: boolean("migrate: whether the other host offers steal time (as the one before).").optional(),
  tscKhz: integer("a TSC frequency in kHz", LIMITS.tscKhz, "migrate: the other host's TSC (as before).").optional(),
});

type Entry = z.output<typeof timelineEntrySchema>;
type Span = Pick<Entry, "at" | "for">;

/** An event whose keys go with its kind; values parsed, nothing filled in. */
export type TimelineSetting =
  | (Span & { readonly event: "offline"; readonly vcpu: number })
  | (Span & { readonly event: "suspend" })
  | (Span & { readonly event: "migrate" } & Pick<Entry, "stealFeature" | "tscKhz">);

const OWN_KEYS = ["vcpu", "stealFeature", "tscKhz"] as const;

/** Which of them each event has. */
const KEYS_OF: Readonly<Record<Entry["event"], readonly (typeof OWN_KEYS)[number][]>> = {
  offline: ["vcpu"],
  suspend: [],
  migrate: ["stealFeature", "tscKhz"],
};

export const timelineEvent = timelineEntrySchema.transform((entry, context): TimelineSetting => {
  const { at, for: forNs, event, vcpu, stealFeature, tscKhz } = entry;
  const accepted = ["at", "event", "for", ...KEYS_OF[event]].join(", ");
  for (const key of OWN_KEYS) {
    if (entry[key] === undefined || KEYS_OF[event].includes(key)) continue;
    context.addIssue({ code: "custom", path: [key], message: `${event} has no ${key}; accepted: ${accepted}` });
  }
  switch (event) {
    case "offline":
      if (vcpu !== undefined) return { event, at, for: forNs, vcpu };
      context.addIssue({ code: "custom", message: `offline names no vCPU; accepted: ${accepted}` });
      return z.NEVER;
    case "suspend":
      return { event, at, for: forNs };
    case "migrate":
      return { event, at, for: forNs, stealFeature, tscKhz };
  }
});
