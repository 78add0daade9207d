import { MAX_TIME_NS } from "../shared/units.js";
import type { Scenario } from "./scenario.js";
import { integerProblem, isOutside, LIMITS, showNs, timeProblem } from "./scenario-limits.js";
import type { ProblemList } from "./scenario-problem.js";
import { checkTimeline } from "./timeline-check.js";

/** What a scenario asks of its engine and the engine does not have, or not so. */
export function checkEngine(scenario: Scenario, list: ProblemList): void {
  switch (scenario.engine) {
    case "real":
      checkRealEngine(scenario, list);
      checkFaults(scenario, list);
      return;
    case "virtual":
      checkVirtualEngine(scenario, list);
      return;
  }
}

/** Its time is the real one and its chance the machine's own. */
function checkRealEngine({ seed, chance, startAtNs, timeline }: Scenario, list: ProblemList): void {
  const refuse = (path: string, what: string, accepted: string) =>
    list.refuse(path, `the real engine has no ${what}; accepted: ${accepted}, or the virtual engine`);
  if (seed !== 0) refuse("seed", "seed", "0");
  if (chance.jitterPercent !== 0) refuse("chance.jitterPercent", "jitter", "0");
  if (chance.wakeLatencyNs !== 0) refuse("chance.wakeLatencyNs", "wake latency to choose", "0");
  if (chance.hostNoiseNs !== 0) refuse("chance.hostNoiseNs", "host noise to choose", "0");
  if (startAtNs !== 0) refuse("startAtNs", "start at a later time", "0");
  if (timeline.length > 0) refuse("timeline", "timeline", "no events");
}

function checkFaults({ faults, vcpus, durationNs }: Scenario, list: ProblemList): void {
  const last = vcpus.length - 1;
  faults.forEach(({ part, afterNs }, index) => {
    if (part !== "hypervisor" && isOutside(part, { min: 0, max: last })) {
      list.refuse(`faults.${index}.part`, `there is no vCPU ${part}; accepted: hypervisor or a vCPU, 0 to ${last}`);
    }
    if (isOutside(afterNs, { min: 0, max: durationNs - 1 })) {
      const limit = `from 0s to less than the duration, ${showNs(durationNs)}`;
      list.refuse(`faults.${index}.afterNs`, `a fault after ${showNs(afterNs)} never happens; accepted: ${limit}`);
    }
  });
}

function checkVirtualEngine(scenario: Scenario, list: ProblemList): void {
  const { seed, chance, startAtNs, host, faults } = scenario;
  list.refuse("seed", integerProblem("seed", seed, LIMITS.seed));
  list.refuse("chance.jitterPercent", integerProblem("jitter", chance.jitterPercent, LIMITS.jitterPercent));
  list.refuse("chance.wakeLatencyNs", timeProblem("wake latency", chance.wakeLatencyNs, LIMITS.wakeLatencyNs));
  list.refuse("chance.hostNoiseNs", timeProblem("host noise", chance.hostNoiseNs, LIMITS.hostNoiseNs));
  list.refuse("startAtNs", timeProblem("start at", startAtNs, LIMITS.startAtNs) ?? endProblem(scenario));
  if (host === "linux") {
    list.refuse("host", "the virtual engine has no real machine for a linux host; accepted: fair, or the real engine");
  }
  if (faults.length > 0) {
    list.refuse("faults", "the virtual engine has no threads that could die; accepted: no faults, or the real engine");
  }
  checkTimeline(scenario, list);
}

function endProblem({ startAtNs, durationNs }: Scenario): string | null {
  if (isOutside(durationNs, LIMITS.durationNs) || startAtNs + durationNs <= MAX_TIME_NS) return null;
  return (
    `a start at ${showNs(startAtNs)} and a duration of ${showNs(durationNs)} end beyond ${showNs(MAX_TIME_NS)}; ` +
    `accepted: at most ${showNs(MAX_TIME_NS)} together, here a start at ${showNs(MAX_TIME_NS - durationNs)} or earlier`
  );
}
