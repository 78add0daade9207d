import { ALTERNATIVES } from "../alternatives/alternatives.js";
import { stealOnlyLoop, wasmPage } from "../alternatives/wasm.js";
import { type Loop, measureLoop, warmUp } from "../harness/loop.js";
import type { Group, TrialPlan } from "../harness/trial.js";
import { nativePlans } from "../native/native-plans.js";
import type { NativeProgram } from "../native/native-program.js";
import { atomicsPage, kvmclockLoop } from "./kvmclock-loop.js";
import { procStatLoop } from "./proc-stat-loop.js";

/** What the same thing costs in C, where there is the same thing; all others are set beside the shipped row. */
const NATIVE_COUNTERPARTS: Readonly<Record<string, string>> = {
  "update.shipped": "native.update-seqcst",
  "update.atomics": "native.update-seqcst",
  "update.wasm": "native.update-seqcst",
  "update-steal-only.wasm": "native.store64-seqcst",
  "update.u64-atomic": "native.store64-seqcst",
  "read.shipped": "native.read-seqcst",
  "read.atomics": "native.read-seqcst",
  "read.wasm": "native.read-seqcst",
  "kvmclock-read.shipped": "native.kvmclock-read",
  "kvmclock-read.wasm": "native.kvmclock-read",
};

/** One operation after the other in one thread, and nobody else at the page. */
export function uncontendedGroup(program: NativeProgram | null): Group {
  const plans = [
    ...ALTERNATIVES.map(({ name, update }) => loopPlan(`update.${name}`, "update.shipped", update)),
    ...ALTERNATIVES.map(({ name, read }) => loopPlan(`read.${name}`, "read.shipped", read)),
    loopPlan("update-steal-only.wasm", null, stealOnlyLoop),
    loopPlan("kvmclock-read.shipped", null, () => kvmclockLoop(atomicsPage())),
    loopPlan("kvmclock-read.wasm", null, () => kvmclockLoop(wasmPage())),
    loopPlan("proc-stat-line.shipped", "read.shipped", procStatLoop),
    ...nativePlans(program),
  ];
  return { name: "uncontended", rounds: ({ rounds }) => rounds, plans: () => plans, derived: () => [] };
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
