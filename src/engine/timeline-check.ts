import type { Ns } from "../shared/units.js";
import type { Scenario, TimelineEvent } from "./scenario.js";
import { integerProblem, isOutside, LIMITS, showNs, timeProblem } from "./scenario-limits.js";
import type { ProblemList } from "./scenario-problem.js";

/** What is wrong with the events of a timeline. */
export function checkTimeline(scenario: Scenario, list: ProblemList): void {
  const { timeline } = scenario;
  const { max } = LIMITS.timelineEvents;
  if (timeline.length > max) {
    list.refuse("timeline", `${timeline.length} events are too many; accepted: at most ${max}`);
    return;
  }
  // By what stands still: the whole machine, or one vCPU.
  const lastOf = new Map<number | "machine", TimelineEvent>();
  let lastAtNs: Ns = Number.NEGATIVE_INFINITY;
  timeline.forEach((event, index) => {
    const path = `timeline.${index}`;
    checkEvent(event, path, scenario, list);
    if (event.atNs < lastAtNs) {
      list.refuse(
        `${path}.atNs`,
        `${showNs(event.atNs)} is before the event in front of it; accepted: events in order of time`,
      );
    }
    lastAtNs = event.atNs;
    const who = event.kind === "offline" ? event.vcpu : "machine";
    list.refuse(`${path}.atNs`, overlapProblem(lastOf.get(who), event));
    lastOf.set(who, event);
  });
}

function checkEvent(event: TimelineEvent, path: string, { durationNs, vcpus }: Scenario, list: ProblemList): void {
  const { kind, atNs, forNs } = event;
  if (isOutside(atNs, { min: 0, max: durationNs - 1 })) {
    const limit = `from 0s to less than the duration, ${showNs(durationNs)}`;
    list.refuse(`${path}.atNs`, `${kind} at ${showNs(atNs)} never happens; accepted: ${limit}`);
  }
  list.refuse(`${path}.forNs`, timeProblem(`${kind} for`, forNs, LIMITS.timelineForNs));
  switch (kind) {
    case "offline":
      if (isOutside(event.vcpu, { min: 0, max: vcpus.length - 1 })) {
        const present = vcpus.length === 1 ? "there is one vCPU, 0" : `there are vCPUs 0 to ${vcpus.length - 1}`;
        list.refuse(`${path}.vcpu`, `there is no vCPU ${event.vcpu}; accepted: ${present}`);
      } else if (vcpus[event.vcpu].workload.kind === "stuck") {
        const why = "its stuck task lets no other run, nor the kernel's that takes a CPU offline";
        list.refuse(
          `${path}.vcpu`,
          `vCPU ${event.vcpu} can't go offline: ${why}; accepted: a vCPU with another workload`,
        );
      }
      return;
    case "suspend":
      return;
    case "migrate":
      list.refuse(`${path}.tscKhz`, integerProblem("TSC frequency in kHz", event.tscKhz, LIMITS.tscKhz));
      return;
  }
}

/** One thing after another: what stands still can't be stopped, and what comes back at this instant is not back yet. */
function overlapProblem(last: TimelineEvent | undefined, { kind, atNs }: TimelineEvent): string | null {
  if (last === undefined) return null;
  const endNs = last.atNs + last.forNs;
  if (atNs > endNs || atNs < last.atNs) return null;
  const who = last.kind === "offline" ? `vCPU ${last.vcpu}` : "the machine";
  const state = last.kind === "offline" ? "offline" : "at a standstill";
  return `${kind} at ${showNs(atNs)}, when ${who} is ${state} from ${showNs(last.atNs)} to ${showNs(endNs)}; accepted: later than ${showNs(endNs)}`;
}
