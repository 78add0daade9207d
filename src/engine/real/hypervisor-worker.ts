import { parentPort, workerData } from "node:worker_threads";
import { inlineMore } from "../inline-more.js";
import type { RunMessage } from "../worker-run.js";
import { Hypervisor } from "./hypervisor.js";
import type { HypervisorWorkerData } from "./messages.js";

/** The hypervisor thread: runs a machine to its end and sends what came of it. */
async function main(): Promise<void> {
  if (parentPort === null) throw new Error("hypervisor-worker runs as a worker only");
  const port = parentPort;
  const send = (message: RunMessage): void => port.postMessage(message);
  inlineMore();
  const hypervisor = new Hypervisor(workerData as HypervisorWorkerData, send);
  await hypervisor.run();
}

void main();
