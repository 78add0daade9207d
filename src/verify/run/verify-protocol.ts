import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { StealclockError } from "../../shared/errors.js";
import type { Bounds, Counterexample } from "../check/check-under-model.js";
import { CALL_WORD, CALLS, type CallName, PULSE_WORD, PULSE_WORDS } from "../explore/recorder.js";
import { placeOf, textOf } from "../load-protocol.js";
import type { ModelName } from "../models/model.js";
import type { KnownProtocol } from "../protocols.js";
import type { VerifyMessage, VerifyWorkerData } from "./messages.js";

/** What is known of a protocol under one model. */
export interface VerifyResult {
  readonly protocol: string;
  readonly model: ModelName;
  readonly holds: boolean;
  readonly executions: number;
  readonly outcomes: number;
  readonly durationNs: number;
  readonly counterexample: Counterexample | null;
}

export interface VerifyOptions {
  readonly protocol: KnownProtocol;
  readonly models: readonly ModelName[];
  readonly bounds: Bounds;
  readonly signal?: AbortSignal;
  /** How long a call of the protocol's code may take, in ms (10 000). It takes microseconds. */
  readonly hungMs?: number;
  /** Told of each model's result as soon as it is there. */
  readonly onResult?: (result: VerifyResult) => void;
}

/** A call that is not back after this never will be. */
const HUNG_MS = 10_000;
const LOOK_MS = 200;
/** Enough for every bound that is accepted, but for readers that store. */
const HEAP_MB = 4_096;
const SMALLER = "accepted: fewer updates, readers or retries";

/**
 * Explores a protocol in a thread of its own, under one model after the other.
 *
 * @throws StealclockError "bad-input" when the protocol's code does what it must not, never comes back, or is too large to
 *   be explored within these bounds; "part-died"; "stopped" when the signal came first
 */
export async function verifyProtocol(options: VerifyOptions): Promise<VerifyResult[]> {
  const { protocol, models, bounds, signal } = options;
  const pulse = new SharedArrayBuffer(PULSE_WORDS * Int32Array.BYTES_PER_ELEMENT);
  const workerData: VerifyWorkerData = { file: protocol.file, layout: protocol.layout, models, bounds, pulse };
  if (signal?.aborted) throw stopped();
  const worker = new Worker(join(__dirname, "verify-worker.js"), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    stdout: true,
  });
  // What a protocol prints is no part of the result.
  worker.stdout.pipe(process.stderr, { end: false });
  try {
    return await new Listener(worker, new Int32Array(pulse), options).results;
  } finally {
    await worker.terminate();
  }
}

function stopped(): StealclockError {
  return new StealclockError("stopped", "stopped before the exploration was complete");
}

class Listener {
  readonly results: Promise<VerifyResult[]>;
  readonly #options: VerifyOptions;
  readonly #found: VerifyResult[] = [];

  constructor(worker: Worker, pulse: Int32Array, options: VerifyOptions) {
    this.#options = options;
    const { protocol, hungMs = HUNG_MS } = options;
    const { name } = protocol;
    const refused = (message: string) => new StealclockError("bad-input", `${name}: ${message}`);
    this.results = new Promise((resolve, reject) => {
      const onAbort = (): void => reject(stopped());
      const watch = watchPulse(pulse, hungMs, (call) => {
        reject(refused(`${call} did not return within ${hungMs / 1000} s`));
      });
      worker.on("message", (message: VerifyMessage) => {
        switch (message.kind) {
          case "findings":
            this.#add(message);
            return;
          case "refused":
            reject(refused(message.message));
            return;
          case "too-large":
            reject(refused(`under ${message.model} ${message.message}; ${SMALLER}`));
            return;
          case "done":
            resolve(this.#found);
            return;
        }
      });
      worker.on("error", (error: NodeJS.ErrnoException) => {
        const text = error.message;
        if (error.code === "ERR_WORKER_OUT_OF_MEMORY") {
          reject(refused(`its executions take more than ${HEAP_MB} MiB of memory; ${SMALLER}`));
        }
        // What its module does by itself, in a timer or a promise, is the protocol's doing.
        if (placeOf(error) !== "") reject(refused(`threw ${textOf(error)}`));
        reject(new StealclockError("part-died", `the explorer of ${name} died: ${text}`));
      });
      worker.on("exit", (code) => {
        reject(
          refused(`ended its thread with code ${code}: by process.exit, or an import that waits for what never comes`),
        );
      });
      options.signal?.addEventListener("abort", onAbort, { once: true });
      const settle = (): void => {
        clearInterval(watch);
        options.signal?.removeEventListener("abort", onAbort);
      };
      worker.once("exit", settle);
    });
  }

  #add({ model, findings, durationNs }: Extract<VerifyMessage, { kind: "findings" }>): void {
    const { name } = this.#options.protocol;
    const result: VerifyResult = {
      protocol: name,
      model,
      holds: findings.holds,
      executions: findings.executions,
      outcomes: findings.outcomes,
      durationNs,
      counterexample: findings.counterexample,
    };
    this.#found.push(result);
    this.#options.onResult?.(result);
  }
}

/** Looks now and then whether the code is still in the call in which it was: a pulse that stays odd and does not beat. */
function watchPulse(pulse: Int32Array, hungMs: number, onHung: (call: CallName) => void): NodeJS.Timeout {
  let last = 0;
  let unchangedMs = 0;
  return setInterval(() => {
    const now = Atomics.load(pulse, PULSE_WORD);
    unchangedMs = now === last && (now & 1) !== 0 ? unchangedMs + LOOK_MS : 0;
    last = now;
    if (unchangedMs >= hungMs) onHung(CALLS[Atomics.load(pulse, CALL_WORD)] ?? CALLS[0]);
  }, LOOK_MS);
}
