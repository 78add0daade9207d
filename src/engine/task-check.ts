import { type Ns, tickNsecOf } from "../shared/units.js";
import { pageAddressProblems } from "./page-address-check.js";
import type { HostTaskConfig, Scenario, VcpuConfig, Workload } from "./scenario.js";
import { integerProblem, isOutside, LIMITS, showNs, timeProblem } from "./scenario-limits.js";
import type { ProblemList } from "./scenario-problem.js";

/** What is wrong with vCPUs and host tasks, each by itself. */
export function checkTasks(scenario: Scenario, list: ProblemList): void {
  const tickNs = tickNsecOf(scenario.hz);
  scenario.vcpus.forEach((vcpu, id) => {
    checkTask(vcpu, `vcpus.${id}`, list);
    list.refuse(`vcpus.${id}.tickPhaseNs`, tickPhaseProblem(vcpu.tickPhaseNs, tickNs));
    list.refuse(`vcpus.${id}.gpa`, addressProblem(vcpu.gpa));
  });
  for (const [id, message] of pageAddressProblems(scenario)) list.refuse(`vcpus.${id}.gpa`, message);
  scenario.hostTasks.forEach((task, index) => {
    checkTask(task, `hostTasks.${index}`, list);
  });
}

function checkTask(task: VcpuConfig | HostTaskConfig, path: string, list: ProblemList): void {
  list.refuse(`${path}.nice`, integerProblem("nice", task.nice, LIMITS.nice));
  list.refuse(`${path}.workload`, workloadProblem(task.workload));
  if (task.pcpus !== null && task.pcpus.length === 0) {
    list.refuse(`${path}.pcpus`, "pinned to no pCPU at all; accepted: at least one pCPU");
  }
}

function tickPhaseProblem(phaseNs: Ns, tickNs: Ns): string | null {
  if (!isOutside(phaseNs, { min: 0, max: tickNs - 1 })) return null;
  return `tick phase ${showNs(phaseNs)} is too long; accepted: less than one tick, ${showNs(tickNs)}`;
}

function addressProblem(gpa: number | null): string | null {
  // Whether it is aligned and inside guest RAM is the host's to judge, as in a real machine.
  if (gpa === null || !isOutside(gpa, { min: 0, max: Number.MAX_SAFE_INTEGER })) return null;
  return `page address ${gpa} is no address; accepted: an integer from 0 to 2^53 - 1`;
}

function workloadProblem(workload: Workload): string | null {
  if (workload.kind !== "duty") return null;
  const { busyNs, periodNs } = workload;
  const { min, max } = LIMITS.dutyPercent;
  // A percentage of the period is rounded down to whole ns.
  const busyRange = { min: Math.floor((min * periodNs) / 100), max: Math.floor((max * periodNs) / 100) };
  const periodProblem = timeProblem("duty period", periodNs, LIMITS.dutyPeriodNs);
  if (periodProblem !== null || !isOutside(busyNs, busyRange)) return periodProblem;
  return `${showNs(busyNs)} busy of each ${showNs(periodNs)} is out of range; accepted: ${min} % to ${max} %`;
}
