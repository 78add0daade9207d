import type { Worker } from "node:worker_threads";
import { type ErrorCode, StealclockError } from "../shared/errors.js";
import type { Ns } from "../shared/units.js";
import type { EmulateOptions, LogLine, RunResult, Sample } from "./result.js";

/** After a worker has said what it had to say, it has this long to leave by itself. */
const EXIT_GRACE_MS = 300;

/** What the worker that carries out a run sends. Errors cross as text: a class would lose its fields on the way. */
export type RunMessage =
  | { readonly kind: "sample"; readonly sample: Sample }
  | { readonly kind: "log"; readonly line: LogLine }
  | { readonly kind: "progress"; readonly elapsedNs: Ns }
  | { readonly kind: "died"; readonly part: string; readonly message: string }
  /** What was asked for can't be done, as it turned out. */
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string }
  /** Told to stop before anything ran. */
  | { readonly kind: "stopped" }
  | { readonly kind: "result"; readonly result: RunResult };

/**
 * What comes of a run in a worker; what it tells meanwhile goes to the listeners in options.
 *
 * @param part how messages call the worker itself
 * @param onSampleRead called when the listener is done with a sample
 * @throws StealclockError "part-died", "stopped", or what the worker was refused with
 */
export function outcomeOf(
  worker: Worker,
  part: string,
  options: EmulateOptions,
  onSampleRead: () => void = () => {},
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const died = (who: string, message: string): void =>
      reject(new StealclockError("part-died", `${who} died: ${message}`));
    // A listener that throws ends the run, not the caller's process.
    const heard = (listener: () => unknown, andThen: () => void = () => {}): void => {
      void (async () => listener())().then(andThen, reject);
    };
    worker.on("message", (message: RunMessage) => {
      switch (message.kind) {
        case "sample":
          heard(() => options.onSample?.(message.sample), onSampleRead);
          return;
        case "log":
          heard(() => options.onLog?.(message.line));
          return;
        case "progress":
          heard(() => options.onProgress?.(message.elapsedNs));
          return;
        case "died":
          died(message.part, message.message);
          return;
        case "refused":
          reject(new StealclockError(message.code, message.message));
          return;
        case "stopped":
          reject(new StealclockError("stopped", "stopped before all vCPUs had booted: nothing ran"));
          return;
        case "result":
          resolve(message.result);
          return;
      }
    });
    worker.on("error", (error: unknown) => died(part, error instanceof Error ? error.message : String(error)));
    worker.on("exit", (code) => died(part, `its thread ended with code ${code} before the run did`));
  });
}

/** Ends the worker, and with it every thread that it started. */
export async function endWorker(worker: Worker): Promise<void> {
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
