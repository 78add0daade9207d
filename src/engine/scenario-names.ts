import type { Scenario } from "./scenario.js";

const WORKLOADS = ["hog", "kernel", "mixed", "idle", "stuck", "duty"];

/** Names that nothing goes by. Types rule them out, but a scenario may come from a program that has none. */
export function unknownNames(scenario: Scenario): { readonly path: string; readonly message: string }[] {
  const named: [path: string, name: string, accepted: readonly string[]][] = [
    ["engine", scenario.engine, ["real", "virtual"]],
    ["host", scenario.host, ["fair", "linux"]],
    ["update", scenario.update.kind, ["entry", "pcpu-change", "steal-entry", "periodic"]],
    ["measure", scenario.measure, ["out-of-guest", "wait"]],
    ["stealUnit", scenario.stealUnit, ["ms", "ns"]],
    ["accounting", scenario.accounting, ["none", "rfc-v2", "mainline"]],
    ["watchdog.mode", scenario.watchdog.mode, ["steal-aware", "plain"]],
    ["pageMemory", scenario.pageMemory, ["zero", "junk"]],
  ];
  scenario.vcpus.forEach(({ workload }, id) => {
    named.push([`vcpus.${id}.workload`, workload.kind, WORKLOADS]);
  });
  scenario.hostTasks.forEach(({ workload }, index) => {
    named.push([`hostTasks.${index}.workload`, workload.kind, ["hog", "duty"]]);
  });
  scenario.timeline.forEach(({ kind }, index) => {
    named.push([`timeline.${index}.kind`, kind, ["offline", "suspend", "migrate"]]);
  });
  return named
    .filter(([, name, accepted]) => !accepted.includes(name))
    .map(([path, name, accepted]) => ({ path, message: `${name} is unknown; accepted: ${accepted.join(", ")}` }));
}
