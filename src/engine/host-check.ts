import type { Machine } from "./machine.js";
import type { Scenario } from "./scenario.js";
import { ACCEPTED_COUNTS, COUNT_LIMITS, isOutside } from "./scenario-limits.js";
import type { ProblemList } from "./scenario-problem.js";

/** What a scenario asks of its host and the host does not have. */
export function checkHost(scenario: Scenario, machine: Machine, list: ProblemList): void {
  switch (scenario.host) {
    case "fair":
      checkFairHost(scenario, list);
      return;
    case "linux":
      checkLinuxHost(scenario, machine, list);
      return;
  }
}

function checkFairHost({ engine, pcpus, vcpus, hostTasks }: Scenario, list: ProblemList): void {
  if (isOutside(pcpus, COUNT_LIMITS[engine])) {
    list.refuse("pcpus", `the number of pCPUs ${pcpus} is out of range; accepted: ${ACCEPTED_COUNTS}`);
  }
  const present = pcpus === 1 ? "there is one pCPU, 0" : `there are pCPUs 0 to ${pcpus - 1}`;
  // One set may stand for many: it is looked through once.
  const absentOf = new Map<readonly number[], number | undefined>();
  const refuseAbsent = (path: string, what: string, allowed: readonly number[] | null) => {
    if (allowed === null) return;
    if (!absentOf.has(allowed))
      absentOf.set(
        allowed,
        allowed.find((pcpu) => isOutside(pcpu, { min: 0, max: pcpus - 1 })),
      );
    const absent = absentOf.get(allowed);
    if (absent === undefined) return;
    list.refuse(path, `${what} is pinned to pCPU ${absent}, which is not there; accepted: ${present}`);
  };
  vcpus.forEach((vcpu, id) => {
    refuseAbsent(`vcpus.${id}.pcpus`, `vCPU ${id}`, vcpu.pcpus);
  });
  hostTasks.forEach((task, index) => {
    refuseAbsent(`hostTasks.${index}.pcpus`, `host task ${index + 1}`, task.pcpus);
  });
}

/** The linux host takes the real scheduler as it is, so whatever would steer an emulated one contradicts it. */
function checkLinuxHost(scenario: Scenario, machine: Machine, list: ProblemList): void {
  if (machine.platform !== "linux") {
    list.unsupported("host", `the linux host needs Linux, this is ${machine.platform}; accepted here: the fair host`);
    return;
  }
  if (!machine.schedstat) {
    list.unsupported(
      "host",
      "the linux host reads run_delay from /proc/self/schedstat, which this kernel or sandbox does not offer; accepted here: the fair host",
    );
    return;
  }
  const refuse = (path: string, what: string) =>
    list.refuse(path, `the linux host has no ${what}; accepted: the fair host has`);
  if (scenario.pcpus !== 0) refuse("pcpus", "emulated pCPUs");
  if (scenario.update.kind !== "entry") refuse("update", "update policy but entry");
  if (scenario.measure !== "wait") refuse("measure", "measure but wait");
  if (scenario.hostTasks.length > 0) refuse("hostTasks", "emulated host tasks");
  scenario.vcpus.forEach((vcpu, id) => {
    if (vcpu.nice !== 0) refuse(`vcpus.${id}.nice`, "nice per vCPU");
    if (vcpu.pcpus !== null) refuse(`vcpus.${id}.pcpus`, "pinning to emulated pCPUs");
  });
}
