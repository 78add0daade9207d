import { loadProtocolModule } from "../../src/backend/protocol-module.js";
import { defaultScenario } from "../../src/engine/default-scenario.js";
import type { ProtocolBackend } from "../../src/engine/result.js";
import { type MachineObserver, VirtualMachine } from "../../src/engine/virtual/virtual-machine.js";
import { MAX_TIME_NS } from "../../src/shared/units.js";
import type { Loop } from "../harness/loop.js";

const VCPUS_PER_PCPU = 4;
/** So that every vCPU has had its turn, and its page is written, before anything is timed. */
const WARM_UP_ENTRIES_EACH = 4;

/** Counts entries: a call each, against some hundred that the entry is made of. */
class EntryCounter implements MachineObserver {
  entries = 0;

  schedIn(): void {
    this.entries++;
  }
  schedOut(): void {}
  woken(): void {}
  suspended(): void {}
  registered(): void {}
  unregistered(): void {}
  published(): void {}
  moved(): void {}
  told(): void {}
}

/**
 * All that happens for one entry of a vCPU in the virtual engine: the host's decision, ledger, page, the guest's ticks until it
 * leaves. Hogs, four to a pCPU, with a task of the host beside them, so that one vCPU alone has somebody to give way to.
 */
export function entryLoop(backend: ProtocolBackend, vcpus: number): Loop {
  const observer = new EntryCounter();
  const machine = new VirtualMachine(
    {
      ...defaultScenario(vcpus),
      engine: "virtual",
      durationNs: MAX_TIME_NS,
      pcpus: Math.max(1, Math.floor(vcpus / VCPUS_PER_PCPU)),
      hostTasks: [{ workload: { kind: "hog" }, nice: 0, pcpus: null }],
    },
    { checks: false, observer, protocolModule: backend === "wasm" ? loadProtocolModule() : null },
  );
  const run = (count: number): number => {
    const until = observer.entries + count;
    while (observer.entries < until) machine.run(MAX_TIME_NS, until - observer.entries);
    return machine.now;
  };
  run(vcpus * WARM_UP_ENTRIES_EACH);
  return run;
}
