import { count } from "../shared/text.js";
import type { Machine } from "./machine.js";
import type { EngineKind, Scenario } from "./scenario.js";
import type { ProblemList } from "./scenario-problem.js";

/** Resident memory that an engine takes by itself and for each vCPU, measured. */
const ENGINE_BYTES = {
  // The hypervisor with its pool and the guest RAM, and a worker.
  real: { base: 64_000_000, vcpu: 9_000_000 },
  virtual: { base: 64_000_000, vcpu: 24_000 },
} as const satisfies Record<EngineKind, { readonly base: number; readonly vcpu: number }>;

export function checkMemory({ engine, vcpus }: Scenario, { availableBytes }: Machine, list: ProblemList): void {
  const { base, vcpu } = ENGINE_BYTES[engine];
  const neededBytes = base + vcpus.length * vcpu;
  if (neededBytes <= availableBytes) return;
  const fitting = Math.floor((availableBytes - base) / vcpu);
  const accepted = fitting >= 1 ? `at most ${count(fitting, "vCPU")} in this memory` : "none in this memory";
  list.refuse(
    "vcpus",
    `${count(vcpus.length, "vCPU")} need about ${showMb(neededBytes)} of memory and ` +
      `${showMb(availableBytes)} are available; accepted: ${accepted}`,
  );
}

function showMb(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}
