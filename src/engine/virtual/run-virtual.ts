import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { EmulateOptions, RunResult } from "../result.js";
import type { Scenario } from "../scenario.js";
import { endWorker, outcomeOf } from "../worker-run.js";
import { SAMPLES_READ_WORD, STOP_WORD, type VirtualWorkerData } from "./messages.js";

/** The heap of the run's thread: for itself, and for each vCPU's host, guest, checkers and result. */
const HEAP_MB = 512;
const HEAP_MB_PER_VCPU = 0.06;

/**
 * Runs a scenario in virtual time, in a thread of its own, so that the caller stays free to ask for its end.
 *
 * @throws StealclockError "bad-input" when a file can't be written; "part-died"; "stopped" when the signal came first
 */
export async function runVirtual(scenario: Scenario, options: EmulateOptions): Promise<RunResult> {
  const { signal, onSample, sampleNs, untilNs, dumpPages, events, checks, checkProtocol, protocolBackend } = options;
  const shared = new SharedArrayBuffer(8);
  const words = new Int32Array(shared);
  const workerData: VirtualWorkerData = {
    scenario,
    shared,
    options: {
      ...(onSample !== undefined && sampleNs !== undefined && { sampleNs }),
      ...(untilNs !== undefined && { untilNs }),
      ...(dumpPages !== undefined && { dumpPages }),
      ...(events !== undefined && { events }),
      ...(checks !== undefined && { checks }),
      ...(checkProtocol !== undefined && { checkProtocol }),
      ...(protocolBackend !== undefined && { protocolBackend }),
    },
  };
  const requestStop = (): void => {
    Atomics.store(words, STOP_WORD, 1);
    Atomics.notify(words, SAMPLES_READ_WORD);
  };
  const sampleRead = (): void => {
    Atomics.add(words, SAMPLES_READ_WORD, 1);
    Atomics.notify(words, SAMPLES_READ_WORD);
  };
  if (signal?.aborted) requestStop();
  const heapMb = HEAP_MB + Math.ceil(scenario.vcpus.length * HEAP_MB_PER_VCPU);
  const worker = new Worker(join(__dirname, "virtual-worker.js"), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  signal?.addEventListener("abort", requestStop, { once: true });
  try {
    return await outcomeOf(worker, "the virtual machine", options, sampleRead);
  } finally {
    signal?.removeEventListener("abort", requestStop);
    await endWorker(worker);
  }
}
