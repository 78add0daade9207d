import { count } from "../shared/text.js";
import { checkEngine } from "./engine-check.js";
import { checkHost } from "./host-check.js";
import type { Machine } from "./machine.js";
import { checkMemory } from "./memory-check.js";
import type { Scenario, WatchdogConfig } from "./scenario.js";
import {
  ACCEPTED_COUNTS,
  COUNT_LIMITS,
  HZ_VALUES,
  integerProblem,
  isOutside,
  LIMITS,
  showNs,
  timeProblem,
} from "./scenario-limits.js";
import { unknownNames } from "./scenario-names.js";
import { ProblemList, type ScenarioProblem, throwProblems } from "./scenario-problem.js";
import { checkTasks } from "./task-check.js";

/**
 * Refuses a scenario that cannot be run as it stands.
 *
 * @throws StealclockError `bad-input` or `unsupported`: what is wrong, where, and what is accepted
 */
export function checkScenario(scenario: Scenario, machine: Machine): void {
  throwProblems(findProblems(scenario, machine), (problem) => problem.path);
}

/** Everything that is wrong with a scenario on this machine; empty when it can be run. */
export function findProblems(scenario: Scenario, machine: Machine): ScenarioProblem[] {
  const list = new ProblemList();
  for (const { path, message } of unknownNames(scenario)) list.refuse(path, message);
  // What is accepted depends on the names.
  if (list.problems.length > 0) return list.problems;
  checkFigures(scenario, list);
  checkWatchdog(scenario.watchdog, list);
  checkTasks(scenario, list);
  checkEngine(scenario, list);
  checkHost(scenario, machine, list);
  checkMemory(scenario, machine, list);
  return list.problems;
}

/** What can be run but will not show what one might expect. */
export function scenarioWarnings(scenario: Scenario, machine: Machine): string[] {
  const limit = Math.max(1, machine.cores - 1);
  // In virtual time every pCPU is as good as a core.
  if (scenario.engine === "virtual" || scenario.host !== "fair" || scenario.pcpus <= limit) return [];
  return [
    `${scenario.pcpus} pCPUs on ${count(machine.cores, "core")}: the hypervisor needs a core of its own, so more than ${limit} make ` +
      "slices late and shares noisy",
  ];
}

function checkFigures(scenario: Scenario, list: ProblemList): void {
  const { engine, durationNs, vcpus, tscKhz, hz, sliceNs, pollNs, update } = scenario;
  list.refuse("durationNs", timeProblem("duration", durationNs, LIMITS.durationNs));
  if (isOutside(vcpus.length, COUNT_LIMITS[engine])) {
    list.refuse("vcpus", `the number of vCPUs ${vcpus.length} is out of range; accepted: ${ACCEPTED_COUNTS}`);
  }
  list.refuse("tscKhz", integerProblem("TSC frequency in kHz", tscKhz, LIMITS.tscKhz));
  if (!HZ_VALUES.includes(hz)) list.refuse("hz", `HZ ${hz} is unknown; accepted: ${HZ_VALUES.join(", ")}`);
  list.refuse("sliceNs", timeProblem("slice", sliceNs, LIMITS.sliceNs));
  list.refuse("pollNs", timeProblem("poll interval", pollNs, LIMITS.pollNs));
  if (update.kind === "periodic") {
    list.refuse("update", timeProblem("update period", update.periodNs, LIMITS.periodicNs));
  }
}

function checkWatchdog({ periodNs, thresholdNs }: WatchdogConfig, list: ProblemList): void {
  list.refuse("watchdog.thresholdNs", timeProblem("watchdog threshold", thresholdNs, LIMITS.watchdogNs));
  list.refuse("watchdog.periodNs", timeProblem("watchdog period", periodNs, LIMITS.watchdogNs));
  if (periodNs >= thresholdNs) {
    const limit = `less than the threshold, ${showNs(thresholdNs)}`;
    list.refuse("watchdog.periodNs", `watchdog period ${showNs(periodNs)} is too long; accepted: ${limit}`);
  }
}
