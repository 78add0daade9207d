import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { guestRamBytes } from "../../guest/kernel-data.js";
import { allocateMemory, ramOf } from "../../shared/machine-memory.js";
import { fillPageMemory } from "../page-memory.js";
import { protocolModule } from "../protocol-backend.js";
import type { EmulateOptions, RunResult } from "../result.js";
import type { Scenario } from "../scenario.js";
import { endWorker, outcomeOf } from "../worker-run.js";
import { ControlMemory, STOP_REQUESTED } from "./control-memory.js";
import type { HypervisorWorkerData } from "./messages.js";

/** The hypervisor's heap: what it needs for itself, and for each vCPU's ledger, log and pool entry. */
const HYPERVISOR_HEAP_MB = 128;
const HYPERVISOR_HEAP_MB_PER_VCPU = 0.5;

/**
 * Runs a scenario on real threads: the hypervisor in a worker of its own, which keeps one more for every vCPU.
 *
 * @throws StealclockError "part-died" when a vCPU or the hypervisor threw, ran out of memory or exited; "stopped" when
 *   the signal came before all vCPUs had booted
 */
export async function runReal(scenario: Scenario, options: EmulateOptions): Promise<RunResult> {
  const control = ControlMemory.allocate(scenario.vcpus.length);
  const vcpuCount = scenario.vcpus.length;
  const module = protocolModule(options.protocolBackend, (line) => options.onLog?.(line));
  const memory = allocateMemory(guestRamBytes(vcpuCount), vcpuCount + 1, module);
  fillPageMemory(ramOf(memory), scenario);
  const data: HypervisorWorkerData = {
    scenario,
    control: control.buffer,
    memory,
    origin: process.hrtime(),
    sampleNs: options.onSample === undefined ? null : (options.sampleNs ?? null),
    auditsEveryRead: options.checkProtocol === true,
  };
  const stop = (): void => {
    Atomics.store(control.words, STOP_REQUESTED, 1);
    control.signal();
  };
  const worker = new Worker(join(__dirname, "hypervisor-worker.js"), {
    workerData: data,
    resourceLimits: {
      maxOldGenerationSizeMb: HYPERVISOR_HEAP_MB + Math.ceil(scenario.vcpus.length * HYPERVISOR_HEAP_MB_PER_VCPU),
    },
  });
  options.signal?.addEventListener("abort", stop, { once: true });
  if (options.signal?.aborted) stop();
  try {
    return await outcomeOf(worker, "the hypervisor", options);
  } finally {
    options.signal?.removeEventListener("abort", stop);
    await endWorker(worker);
  }
}
