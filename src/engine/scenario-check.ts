import { type ErrorCode, StealclockError } from "../shared/errors.js";
import { count } from "../shared/text.js";
import {
  formatDuration,
  MAX_TIME_NS,
  NS_PER_MS,
  NS_PER_SECOND,
  NS_PER_US,
  type Ns,
  tickNsecOf,
} from "../shared/units.js";
import { pageAddressProblems } from "./page-address-check.js";
import type { HostTaskConfig, Scenario, VcpuConfig, Workload } from "./scenario.js";
import { unknownNames } from "./scenario-names.js";

/** What a run needs to know of the machine that it runs on. */
export interface Machine {
  /** As process.platform says it. */
  readonly platform: string;
  /** Cores that this process may use: CPU affinity and cgroup quota counted in. */
  readonly cores: number;
  /** Memory that new workers may take before something else has to give way. */
  readonly availableBytes: number;
  /** The kernel tells each thread's run_delay in /proc/self/schedstat. */
  readonly schedstat: boolean;
}

/** One thing that keeps a scenario from being run. */
export interface ScenarioProblem {
  readonly code: Extract<ErrorCode, "bad-input" | "unsupported">;
  /** The scenario's field: "sliceNs", "watchdog.periodNs", "vcpus.3.pcpus". */
  readonly path: string;
  /** What is wrong and what is accepted. */
  readonly message: string;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** What each figure of a scenario may be, both ends included. */
export const LIMITS = {
  vcpus: { min: 1, max: 1024 },
  pcpus: { min: 1, max: 1024 },
  nice: { min: -20, max: 19 },
  tscKhz: { min: 100_000, max: 10_000_000 },
  durationNs: { min: NS_PER_MS, max: MAX_TIME_NS },
  sliceNs: { min: 100 * NS_PER_US, max: 10 * NS_PER_SECOND },
  pollNs: { min: 100 * NS_PER_US, max: NS_PER_SECOND },
  periodicNs: { min: 100 * NS_PER_US, max: NS_PER_SECOND },
  dutyPeriodNs: { min: NS_PER_MS, max: 10 * NS_PER_SECOND },
  dutyPercent: { min: 1, max: 99 },
  watchdogNs: { min: NS_PER_MS, max: MAX_TIME_NS },
  sampleNs: { min: 10 * NS_PER_MS, max: 86_400 * NS_PER_SECOND },
} as const satisfies Record<string, Range>;

export const HZ_VALUES = [100, 250, 300, 1000] as const;

/** Resident memory of a worker, measured; and of the hypervisor with its pool and the guest RAM. */
const WORKER_BYTES = 9_000_000;
const HYPERVISOR_BYTES = 64_000_000;

const MESSAGES_SHOWN = 5;

/**
 * Refuses a scenario that cannot be run as it stands.
 *
 * @throws StealclockError `bad-input` or `unsupported`: what is wrong, where, and what is accepted
 */
export function checkScenario(scenario: Scenario, machine: Machine): void {
  throwProblems(findProblems(scenario, machine), (problem) => problem.path);
}

/**
 * Throws what was found as one error; does nothing when nothing was.
 *
 * @param where how a problem's place is called where the scenario came from: a flag, a line of a file
 */
export function throwProblems(problems: readonly ScenarioProblem[], where: (problem: ScenarioProblem) => string): void {
  const [first] = problems;
  if (first === undefined) return;
  // One flag can be at fault for every vCPU in the same words: once is enough.
  const all = [...new Set(problems.map((problem) => `${where(problem)}: ${problem.message}`))];
  const lines = all.slice(0, MESSAGES_SHOWN);
  if (all.length > lines.length) lines.push(`and ${all.length - lines.length} more`);
  throw new StealclockError(first.code, lines.join("\n"));
}

/** Everything that is wrong with a scenario on this machine; empty when it can be run. */
export function findProblems(scenario: Scenario, machine: Machine): ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  const refuse = (path: string, message: string) => problems.push({ code: "bad-input", path, message });
  const inRange = (path: string, name: string, value: number, range: Range) => {
    if (isOutside(value, range)) {
      refuse(path, `${name} ${value} is out of range; accepted: an integer from ${range.min} to ${range.max}`);
    }
  };
  const timeInRange = (path: string, name: string, ns: Ns, range: Range) => {
    if (isOutside(ns, range)) refuse(path, `${name} ${showNs(ns)} is out of range; accepted: ${showRange(range)}`);
  };

  for (const { path, message } of unknownNames(scenario)) refuse(path, message);
  timeInRange("durationNs", "duration", scenario.durationNs, LIMITS.durationNs);
  inRange("vcpus", "the number of vCPUs", scenario.vcpus.length, LIMITS.vcpus);
  inRange("tscKhz", "TSC frequency in kHz", scenario.tscKhz, LIMITS.tscKhz);
  if (!HZ_VALUES.includes(scenario.hz)) refuse("hz", `HZ ${scenario.hz} is unknown; accepted: ${HZ_VALUES.join(", ")}`);
  timeInRange("sliceNs", "slice", scenario.sliceNs, LIMITS.sliceNs);
  timeInRange("pollNs", "poll interval", scenario.pollNs, LIMITS.pollNs);
  if (scenario.update.kind === "periodic") {
    timeInRange("update", "update period", scenario.update.periodNs, LIMITS.periodicNs);
  }
  const { periodNs, thresholdNs } = scenario.watchdog;
  timeInRange("watchdog.thresholdNs", "watchdog threshold", thresholdNs, LIMITS.watchdogNs);
  timeInRange("watchdog.periodNs", "watchdog period", periodNs, LIMITS.watchdogNs);
  if (periodNs >= thresholdNs) {
    const limit = `less than the threshold, ${showNs(thresholdNs)}`;
    refuse("watchdog.periodNs", `watchdog period ${showNs(periodNs)} is too long; accepted: ${limit}`);
  }

  scenario.vcpus.forEach((vcpu, id) => {
    for (const [field, message] of vcpuProblems(vcpu, tickNsecOf(scenario.hz))) {
      refuse(`vcpus.${id}.${field}`, message);
    }
  });
  for (const [id, message] of pageAddressProblems(scenario)) refuse(`vcpus.${id}.gpa`, message);
  scenario.hostTasks.forEach((task, index) => {
    for (const [field, message] of taskProblems(task)) {
      refuse(`hostTasks.${index}.${field}`, message);
    }
  });
  scenario.faults.forEach((fault, index) => {
    const last = scenario.vcpus.length - 1;
    if (fault.part !== "hypervisor" && isOutside(fault.part, { min: 0, max: last })) {
      refuse(`faults.${index}.part`, `there is no vCPU ${fault.part}; accepted: hypervisor or a vCPU, 0 to ${last}`);
    }
    if (isOutside(fault.afterNs, { min: 0, max: scenario.durationNs - 1 })) {
      const limit = `from 0s to less than the duration, ${showNs(scenario.durationNs)}`;
      refuse(`faults.${index}.afterNs`, `a fault after ${showNs(fault.afterNs)} never happens; accepted: ${limit}`);
    }
  });

  const hostProblems = scenario.host === "fair" ? fairHostProblems(scenario) : linuxHostProblems(scenario, machine);
  problems.push(...hostProblems, ...memoryProblems(scenario, machine));
  return problems;
}

/** What can be run but will not show what one might expect. */
export function scenarioWarnings(scenario: Scenario, machine: Machine): string[] {
  const limit = Math.max(1, machine.cores - 1);
  if (scenario.engine !== "real" || scenario.host !== "fair" || scenario.pcpus <= limit) return [];
  return [
    `${scenario.pcpus} pCPUs on ${count(machine.cores, "core")}: the hypervisor needs a core of its own, so more than ${limit} make ` +
      "slices late and shares noisy",
  ];
}

type FieldProblem = readonly [field: string, message: string];

function vcpuProblems(vcpu: VcpuConfig, tickNs: Ns): FieldProblem[] {
  const problems = taskProblems(vcpu);
  if (isOutside(vcpu.tickPhaseNs, { min: 0, max: tickNs - 1 })) {
    const limit = `less than one tick, ${showNs(tickNs)}`;
    problems.push(["tickPhaseNs", `tick phase ${showNs(vcpu.tickPhaseNs)} is too long; accepted: ${limit}`]);
  }
  // Whether it is aligned and inside guest RAM is the host's to judge, as in a real machine.
  if (vcpu.gpa !== null && isOutside(vcpu.gpa, { min: 0, max: Number.MAX_SAFE_INTEGER })) {
    problems.push(["gpa", `page address ${vcpu.gpa} is no address; accepted: an integer from 0 to 2^53 - 1`]);
  }
  return problems;
}

function taskProblems(task: VcpuConfig | HostTaskConfig): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const { min, max } = LIMITS.nice;
  if (isOutside(task.nice, LIMITS.nice)) {
    problems.push(["nice", `nice ${task.nice} is out of range; accepted: an integer from ${min} to ${max}`]);
  }
  if (task.pcpus !== null && task.pcpus.length === 0) {
    problems.push(["pcpus", "pinned to no pCPU at all; accepted: at least one pCPU"]);
  }
  const message = workloadProblem(task.workload);
  if (message !== null) problems.push(["workload", message]);
  return problems;
}

function workloadProblem(workload: Workload): string | null {
  if (workload.kind !== "duty") return null;
  const { busyNs, periodNs } = workload;
  if (isOutside(periodNs, LIMITS.dutyPeriodNs)) {
    return `duty period ${showNs(periodNs)} is out of range; accepted: ${showRange(LIMITS.dutyPeriodNs)}`;
  }
  const { min, max } = LIMITS.dutyPercent;
  // A percentage of the period is rounded down to whole ns.
  const busyRange = { min: Math.floor((min * periodNs) / 100), max: Math.floor((max * periodNs) / 100) };
  if (isOutside(busyNs, busyRange)) {
    return `${showNs(busyNs)} busy of each ${showNs(periodNs)} is out of range; accepted: ${min} % to ${max} %`;
  }
  return null;
}

function fairHostProblems(scenario: Scenario): ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  const refuse = (path: string, message: string) => problems.push({ code: "bad-input", path, message });
  if (isOutside(scenario.pcpus, LIMITS.pcpus)) {
    const { min, max } = LIMITS.pcpus;
    refuse(
      "pcpus",
      `the number of pCPUs ${scenario.pcpus} is out of range; accepted: an integer from ${min} to ${max}`,
    );
  }
  const refuseAbsent = (path: string, what: string, pcpus: readonly number[] | null) => {
    const absent = pcpus?.find((pcpu) => isOutside(pcpu, { min: 0, max: scenario.pcpus - 1 }));
    if (absent === undefined) return;
    const present = scenario.pcpus === 1 ? "there is one pCPU, 0" : `there are pCPUs 0 to ${scenario.pcpus - 1}`;
    refuse(path, `${what} is pinned to pCPU ${absent}, which is not there; accepted: ${present}`);
  };
  scenario.vcpus.forEach((vcpu, id) => {
    refuseAbsent(`vcpus.${id}.pcpus`, `vCPU ${id}`, vcpu.pcpus);
  });
  scenario.hostTasks.forEach((task, index) => {
    refuseAbsent(`hostTasks.${index}.pcpus`, `host task ${index + 1}`, task.pcpus);
  });
  return problems;
}

/** The linux host takes the real scheduler as it is, so whatever would steer an emulated one contradicts it. */
function linuxHostProblems(scenario: Scenario, machine: Machine): ScenarioProblem[] {
  if (machine.platform !== "linux") {
    return [unsupported(`the linux host needs Linux, this is ${machine.platform}; accepted here: the fair host`)];
  }
  if (!machine.schedstat) {
    return [
      unsupported(
        "the linux host reads run_delay from /proc/self/schedstat, which this kernel or sandbox does not offer; accepted here: the fair host",
      ),
    ];
  }
  const problems: ScenarioProblem[] = [];
  const refuse = (path: string, what: string) => {
    problems.push({ code: "bad-input", path, message: `the linux host has no ${what}; accepted: the fair host has` });
  };
  if (scenario.pcpus !== 0) refuse("pcpus", "emulated pCPUs");
  if (scenario.update.kind !== "entry") refuse("update", "update policy but entry");
  if (scenario.measure !== "wait") refuse("measure", "measure but wait");
  if (scenario.hostTasks.length > 0) refuse("hostTasks", "emulated host tasks");
  scenario.vcpus.forEach((vcpu, id) => {
    if (vcpu.nice !== 0) refuse(`vcpus.${id}.nice`, "nice per vCPU");
    if (vcpu.pcpus !== null) refuse(`vcpus.${id}.pcpus`, "pinning to emulated pCPUs");
  });
  return problems;
}

function unsupported(message: string): ScenarioProblem {
  return { code: "unsupported", path: "host", message };
}

function memoryProblems(scenario: Scenario, machine: Machine): ScenarioProblem[] {
  const neededBytes = HYPERVISOR_BYTES + scenario.vcpus.length * WORKER_BYTES;
  if (neededBytes <= machine.availableBytes) return [];
  const fitting = Math.floor((machine.availableBytes - HYPERVISOR_BYTES) / WORKER_BYTES);
  const accepted = fitting >= 1 ? `at most ${count(fitting, "vCPU")} in this memory` : "none in this memory";
  const message =
    `${count(scenario.vcpus.length, "vCPU")} need about ${showMb(neededBytes)} of memory and ` +
    `${showMb(machine.availableBytes)} are available; accepted: ${accepted}`;
  return [{ code: "bad-input", path: "vcpus", message }];
}

function isOutside(value: number, range: Range): boolean {
  return !Number.isSafeInteger(value) || value < range.min || value > range.max;
}

function showNs(ns: Ns): string {
  return Number.isSafeInteger(ns) ? formatDuration(ns) : `${ns}ns`;
}

function showRange(range: Range): string {
  return `${formatDuration(range.min)} to ${formatDuration(range.max)}`;
}

function showMb(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}
