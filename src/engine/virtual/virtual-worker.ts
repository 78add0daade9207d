import { parentPort, workerData } from "node:worker_threads";
import { StealclockError } from "../../shared/errors.js";
import type { RunMessage } from "../worker-run.js";
import { inlineMore } from "./inline-more.js";
import type { VirtualWorkerData } from "./messages.js";
import { installPlainAtomics } from "./plain-atomics.js";
import { runVirtualMachine } from "./virtual-run.js";

const PROGRESS_INTERVAL_MS = 200;

/** The thread of a virtual run. It has guest RAM to itself; the one word that it shares is looked at with the real Atomics. */
function main(): void {
  if (parentPort === null) throw new Error("virtual-worker runs as a worker only");
  const port = parentPort;
  const send = (message: RunMessage): void => port.postMessage(message);
  inlineMore();
  const realAtomics = installPlainAtomics();
  const { scenario, options, stop } = workerData as VirtualWorkerData;
  const stopWord = new Int32Array(stop);
  let progressAt = performance.now();
  try {
    const result = runVirtualMachine(scenario, options, {
      sample: (sample) => send({ kind: "sample", sample }),
      progress: (elapsedNs) => {
        if (performance.now() - progressAt < PROGRESS_INTERVAL_MS) return;
        progressAt = performance.now();
        send({ kind: "progress", elapsedNs });
      },
      stopRequested: () => realAtomics.load(stopWord, 0) !== 0,
    });
    send(result === null ? { kind: "stopped" } : { kind: "result", result });
  } catch (error) {
    if (!(error instanceof StealclockError)) throw error;
    send({ kind: "refused", code: error.code, message: error.message });
  }
}

main();
