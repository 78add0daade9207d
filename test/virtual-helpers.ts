import assert from "node:assert/strict";
import type { RunResult } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { VirtualMachine, type VirtualMachineOptions } from "../src/engine/virtual/virtual-machine.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { decodePvclock, type PvclockStruct } from "./fixtures/pvclock-struct.js";

/** The same scenario in virtual time. */
export function virtually(scenario: Scenario): Scenario {
  return { ...scenario, engine: "virtual" };
}

/** A machine in virtual time, in this thread: a short run of hogs on one emulated pCPU, but for what is changed. */
export function machineOf(changes: ScenarioChanges = {}, options: VirtualMachineOptions = {}): VirtualMachine {
  return new VirtualMachine(virtually(scenarioOf(changes)), options);
}

/** Runs a machine to the end of its scenario. */
export function runToEnd(machine: VirtualMachine): RunResult {
  assert.ok(machine.run(machine.scenario.durationNs));
  return machine.finish();
}

/** Runs a scenario from end to end in virtual time, in this thread. */
export function runVirtually(scenario: Scenario): RunResult {
  return runToEnd(new VirtualMachine(virtually(scenario)));
}

/** No invariant is broken. */
export function assertSound({ invariants }: RunResult): void {
  const broken = invariants.filter(({ status }) => status === "broken");
  assert.deepEqual(broken, []);
}

/** The checker of a machine that has one. */
export function checkerOf({ checker }: VirtualMachine) {
  if (checker === null) throw new TypeError("this machine was built without checks");
  return checker;
}

/** A vCPU's registered page, decoded from the ABI's offsets: with the ns field where its host writes one. */
export function pageOf({ ram, host: { publisher } }: VirtualMachine, vcpu: number): PvclockStruct {
  const { base } = publisher.pageOf(vcpu);
  assert.ok(base >= 0, `vCPU ${vcpu} has no registered page`);
  return decodePvclock(ram, base, publisher.hasStealNs);
}

type Observer = NonNullable<VirtualMachineOptions["observer"]>;

const DEAF: Observer = {
  schedIn: () => {},
  schedOut: () => {},
  woken: () => {},
  suspended: () => {},
  registered: () => {},
  unregistered: () => {},
  published: () => {},
  moved: () => {},
  told: () => {},
};

/** Hears only of what it has a method for. */
export function observerOf(methods: Partial<Observer>): Observer {
  return { ...DEAF, ...methods };
}
