import { parentPort, workerData } from "node:worker_threads";
import { checkUnderModel } from "../check/check-under-model.js";
import { ProtocolThreads } from "../check/protocol-threads.js";
import { FIELDS, WORDS } from "../explore/layout.js";
import { ProtocolFault } from "../explore/protocol-fault.js";
import { PULSE_WORD, Recorder } from "../explore/recorder.js";
import { TooLarge } from "../explore/too-large.js";
import { loadProtocol, ProtocolFailed } from "../load-protocol.js";
import type { ModelName } from "../models/model.js";
import { MODELS } from "../models/models.js";
import { PROTOCOL_WORDS } from "../protocol.js";
import type { VerifyMessage, VerifyWorkerData } from "./messages.js";

/*
 * The explorer's thread. Its realm's Atomics are the recorder's from before the protocol is imported, so that the very
 * functions that ship run here, unchanged, on a page that is not there.
 */

const { file, layout, models, bounds, pulse } = workerData as VerifyWorkerData;
const pulseWords = new Int32Array(pulse);
const recorder = new Recorder(PROTOCOL_WORDS, pulseWords, layout === "fields" ? FIELDS : WORDS);
Reflect.set(globalThis, "Atomics", recorder.atomics);

function say(message: VerifyMessage): void {
  parentPort?.postMessage(message);
}

function check(threads: ProtocolThreads, model: ModelName): void {
  const startNs = process.hrtime.bigint();
  try {
    const findings = checkUnderModel(threads, MODELS[model], bounds);
    say({ kind: "findings", model, findings, durationNs: Number(process.hrtime.bigint() - startNs) });
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    say({ kind: "too-large", model, message: error.message });
  }
}

async function run(): Promise<void> {
  try {
    pulseWords[PULSE_WORD]++;
    const protocol = await loadProtocol(file);
    pulseWords[PULSE_WORD]++;
    const threads = new ProtocolThreads(recorder, protocol);
    for (const model of models) check(threads, model);
    threads.recheck();
    say({ kind: "done" });
  } catch (error) {
    if (!(error instanceof ProtocolFault) && !(error instanceof ProtocolFailed)) throw error;
    say({ kind: "refused", message: error.message });
  }
}

void run();
