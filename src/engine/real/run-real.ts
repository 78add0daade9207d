import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { guestRamBytes } from "../../guest/kernel-data.js";
import { StealclockError } from "../../shared/errors.js";
import { fillPageMemory } from "../page-memory.js";
import type { EmulateOptions, RunResult } from "../result.js";
import type { Scenario } from "../scenario.js";
import { ControlMemory, STOP_REQUESTED } from "./control-memory.js";
import type { HypervisorMessage, HypervisorWorkerData } from "./messages.js";

/** The hypervisor's heap: what it needs for itself, and for each vCPU's ledger, log and pool entry. */
const HYPERVISOR_HEAP_MB = 128;
const HYPERVISOR_HEAP_MB_PER_VCPU = 0.5;
/** After the hypervisor has said what it had to say, it has this long to leave by itself. */
const EXIT_GRACE_MS = 300;

/**
 * Runs a scenario on real threads: the hypervisor in a worker of its own, which keeps one more for every vCPU.
 *
 * @throws StealclockError "part-died" when a vCPU or the hypervisor threw, ran out of memory or exited; "stopped" when
 *   the signal came before all vCPUs had booted
 */
export async function runReal(scenario: Scenario, options: EmulateOptions): Promise<RunResult> {
  const control = ControlMemory.allocate(scenario.vcpus.length);
  const ram = new SharedArrayBuffer(guestRamBytes(scenario.vcpus.length));
  fillPageMemory(new Int32Array(ram), scenario);
  const data: HypervisorWorkerData = {
    scenario,
    control: control.buffer,
    ram,
    origin: process.hrtime(),
    sampleNs: options.onSample === undefined ? null : (options.sampleNs ?? null),
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
    return await outcomeOf(worker, options);
  } finally {
    options.signal?.removeEventListener("abort", stop);
    await leave(worker);
  }
}

function outcomeOf(worker: Worker, options: EmulateOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const died = (part: string, message: string): void =>
      reject(new StealclockError("part-died", `${part} died: ${message}`));
    // A listener that throws ends the run, not the caller's process.
    const heard = (listener: () => void): void => {
      try {
        listener();
      } catch (error) {
        reject(error);
      }
    };
    worker.on("message", (message: HypervisorMessage) => {
      switch (message.kind) {
        case "sample":
          heard(() => options.onSample?.(message.sample));
          return;
        case "log":
          heard(() => options.onLog?.(message.line));
          return;
        case "died":
          died(message.part, message.message);
          return;
        case "stopped":
          reject(new StealclockError("stopped", "stopped before all vCPUs had booted: nothing ran"));
          return;
        case "result":
          resolve(message.result);
          return;
      }
    });
    worker.on("error", (error: unknown) =>
      died("the hypervisor", error instanceof Error ? error.message : String(error)),
    );
    worker.on("exit", (code) => died("the hypervisor", `its thread ended with code ${code} before the run did`));
  });
}

/** Ends the worker, and with it every thread that it started. */
async function leave(worker: Worker): Promise<void> {
  if (worker.threadId < 0) return;
  const exited = new Promise<void>((resolve) => {
    worker.removeAllListeners("exit");
    worker.once("exit", () => resolve());
  });
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, EXIT_GRACE_MS);
  });
  await Promise.race([exited, grace]);
  clearTimeout(timer);
  await worker.terminate();
}
