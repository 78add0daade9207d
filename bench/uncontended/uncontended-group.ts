import { ALTERNATIVES } from "../alternatives/alternatives.js";
import { atomicsStealOnlyLoop } from "../alternatives/atomics.js";
import { stealOnlyLoop, versionCheckLoop } from "../alternatives/shipped.js";
import { plansApart } from "../apart/apart.js";
import { type Loop, measureLoop, warmUp } from "../harness/loop.js";
import type { Group, TrialPlan } from "../harness/trial.js";
import { nativePlans } from "../native/native-plans.js";
import type { NativeProgram } from "../native/native-program.js";
import { procStatLoop } from "./proc-stat-loop.js";

/** What the same thing costs in C, where there is the same thing; all others are set beside the shipped row. */
const NATIVE_COUNTERPARTS: Readonly<Record<string, string>> = {
  "update.shipped": "native.update-seqcst",
  "update.atomics": "native.update-seqcst",
  "update-steal-only.shipped": "native.store64-seqcst",
  "update-steal-only.atomics": "native.store64-seqcst",
  "update.u64-atomic": "native.store64-seqcst",
  "read.shipped": "native.read-seqcst",
  "read.atomics": "native.read-seqcst",
  "kvmclock-read.shipped": "native.kvmclock-read",
  "kvmclock-read.atomics": "native.kvmclock-read",
};

/** One operation after the other in one thread, and nobody else at the page. */
export function uncontendedGroup(program: NativeProgram | null): Group {
  const plans = [
    ...ALTERNATIVES.map(({ name, update }) => loopPlan(`update.${name}`, "update.shipped", update)),
    loopPlan("update-steal-only.shipped", null, stealOnlyLoop),
    loopPlan("update-steal-only.atomics", null, atomicsStealOnlyLoop),
    ...ALTERNATIVES.map(({ name, read }) => loopPlan(`read.${name}`, "read.shipped", read)),
    loopPlan("version-check.shipped", "native.read-seqcst", versionCheckLoop),
    ...kvmclockPlans(),
    loopPlan("proc-stat-line.shipped", "read.shipped", procStatLoop),
    ...nativePlans(program),
  ];
  return { name: "uncontended", rounds: ({ rounds }) => rounds, plans: () => plans, derived: () => [] };
}

/** Each in a thread of its own: a guest has one backend, and code that has seen two is slower for either. */
function kvmclockPlans(): TrialPlan[] {
  const rows = [
    ["kvmclock-read.shipped", "wasm"],
    ["kvmclock-read.atomics", "atomics"],
  ] as const;
  return rows.flatMap(([name, backend]) => {
    const spec = { name, unit: "ns/op", ratioTo: NATIVE_COUNTERPARTS[name] ?? null };
    return plansApart("real", [{ spec, task: { kind: "kvmclock", backend } }]);
  });
}

/** @param create makes the loop, which is one function for this row alone */
function loopPlan(name: string, otherwise: string | null, create: () => Loop): TrialPlan {
  const ratioTo = NATIVE_COUNTERPARTS[name] ?? otherwise;
  return {
    rows: [{ name, unit: "ns/op", ratioTo }],
    open: async (effort) => {
      const loop = create();
      const count = warmUp(loop, effort);
      return { round: async () => [await measureLoop(loop, count, effort)] };
    },
  };
}
