import type { ProtocolBackend } from "../../src/engine/result.js";
import type { AccountingName, Hz } from "../../src/engine/scenario.js";
import { entryLoop } from "../end-to-end/entry-loop.js";
import { hogLoop } from "../end-to-end/hog-loop.js";
import { type Policy, publishLoop } from "../end-to-end/publish-loop.js";
import { tickLoop } from "../end-to-end/tick-loop.js";
import type { Loop } from "../harness/loop.js";
import { kvmclockLoop } from "../uncontended/kvmclock-loop.js";

/** Which memory the pages are in: plain accesses as in the virtual engine, or Atomics as in the real one. */
export type PageEngine = "virtual" | "real";

/** What a row's loop does, as it is told to the thread that runs it. */
export type LoopTask =
  | { readonly kind: "tick"; readonly accounting: AccountingName; readonly hz: Hz }
  /** @see hogLoop: null for a hog that no tick interrupts */
  | { readonly kind: "hog"; readonly accounting: AccountingName | null; readonly hz: Hz }
  | { readonly kind: "publish"; readonly policy: Policy; readonly vcpus: number }
  | { readonly kind: "entry"; readonly backend: ProtocolBackend; readonly vcpus: number }
  | { readonly kind: "kvmclock"; readonly backend: ProtocolBackend };

export function loopOf(task: LoopTask): Loop {
  switch (task.kind) {
    case "tick":
      return tickLoop(task.accounting, task.hz);
    case "hog":
      return hogLoop(task.accounting, task.hz);
    case "publish":
      return publishLoop(task.policy, task.vcpus);
    case "entry":
      return entryLoop(task.backend, task.vcpus);
    case "kvmclock":
      return kvmclockLoop(task.backend);
  }
}
