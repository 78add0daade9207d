import { parentPort, workerData } from "node:worker_threads";
import { StealclockError } from "../../shared/errors.js";
import { inlineMore } from "../inline-more.js";
import type { RunMessage } from "../worker-run.js";
import { SAMPLES_READ_WORD, STOP_WORD, type VirtualWorkerData } from "./messages.js";
import { installPlainAtomics } from "./plain-atomics.js";
import { runVirtualMachine } from "./virtual-run.js";

const PROGRESS_INTERVAL_MS = 200;
const MAX_UNREAD_SAMPLES = 16;
const WAIT_MS = 1_000;

/** The thread of a virtual run. It has guest RAM to itself; the words that it shares are looked at with the real Atomics. */
function main(): void {
  if (parentPort === null) throw new Error("virtual-worker runs as a worker only");
  const port = parentPort;
  const send = (message: RunMessage): void => port.postMessage(message);
  inlineMore();
  const realAtomics = installPlainAtomics();
  const { scenario, options, shared } = workerData as VirtualWorkerData;
  const words = new Int32Array(shared);
  const stopRequested = (): boolean => realAtomics.load(words, STOP_WORD) !== 0;
  let samplesSent = 0;
  let progressAt = performance.now();
  try {
    const result = runVirtualMachine(scenario, options, {
      sample: (sample) => {
        send({ kind: "sample", sample });
        samplesSent++;
        // Virtual time would run away from a slow reader, and fill the memory between them.
        for (;;) {
          const read = realAtomics.load(words, SAMPLES_READ_WORD);
          if (samplesSent - read <= MAX_UNREAD_SAMPLES || stopRequested()) return;
          realAtomics.wait(words, SAMPLES_READ_WORD, read, WAIT_MS);
        }
      },
      log: (line) => send({ kind: "log", line }),
      progress: (elapsedNs) => {
        if (performance.now() - progressAt < PROGRESS_INTERVAL_MS) return;
        progressAt = performance.now();
        send({ kind: "progress", elapsedNs });
      },
      stopRequested,
    });
    send(result === null ? { kind: "stopped" } : { kind: "result", result });
  } catch (error) {
    if (!(error instanceof StealclockError)) throw error;
    send({ kind: "refused", code: error.code, message: error.message });
  }
}

main();
