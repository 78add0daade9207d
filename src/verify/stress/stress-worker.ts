import { parentPort, workerData } from "node:worker_threads";
import { ProtocolFailed } from "../load-protocol.js";
import { probeProtocol } from "./probe-protocol.js";
import { protocolOnTrial } from "./protocol-on-trial.js";
import { runReader } from "./reader-loop.js";
import { ownPageOf, pagesOf, ThreadState, ThreadWord } from "./stress-memory.js";
import { ThreadControl } from "./thread-control.js";
import { FaultTrap } from "./thread-fault.js";
import type { ThreadMessage, ThreadReport, ThreadTask } from "./thread-task.js";
import { runWriter } from "./writer-loop.js";

const PROBING = {
  write: ThreadState.ProbingWrite,
  writeSteal: ThreadState.ProbingWriteSteal,
  read: ThreadState.ProbingRead,
} as const;

/** A thread of a stress run: it loads the protocol, tries it alone, waits at the gate, works, and reports. */
async function main(): Promise<void> {
  if (parentPort === null) throw new Error("stress-worker runs as a worker only");
  const port = parentPort;
  const send = (message: ThreadMessage): void => port.postMessage(message);
  try {
    send({ kind: "report", report: await work(workerData as ThreadTask, send) });
  } catch (error) {
    if (!(error instanceof ProtocolFailed)) throw error;
    send({ kind: "protocol failed", message: error.message });
  }
}

async function work(task: ThreadTask, send: (message: ThreadMessage) => void): Promise<ThreadReport> {
  const { role, slot, file, memory, firstPage, maxRetries, fault } = task;
  const control = new ThreadControl(memory.control, slot);
  // The others can make room at once: where there are more threads than cores, it takes long to be gone.
  process.once("exit", () => control.show(ThreadWord.State, ThreadState.Leaving));
  const { protocol, interrupt } = await protocolOnTrial(file, memory, slot);
  const { repairs } = probeProtocol(protocol, ownPageOf(memory, slot), maxRetries, (called) =>
    control.show(ThreadWord.State, PROBING[called]),
  );
  const trap = fault === null ? null : new FaultTrap(fault, interrupt, task, control);
  const pages = pagesOf(memory);
  send({ kind: "ready", repairs, writesSteal: protocol.writeSteal !== undefined });
  control.passGate();
  return role === "writer"
    ? runWriter({ protocol, pages, control, repairs, trap })
    : runReader({ protocol, pages, control, firstPage, maxRetries, trap });
}

void main();
