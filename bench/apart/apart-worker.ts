import { parentPort, workerData } from "node:worker_threads";
import { inlineMore } from "../../src/engine/inline-more.js";
import { installPlainAtomics } from "../../src/engine/virtual/plain-atomics.js";
import { type Loop, measureLoop, warmUp } from "../harness/loop.js";
import type { Effort } from "../harness/trial.js";
import { type LoopTask, loopOf, type PageEngine } from "./tasks.js";

/** What a thread is started with. */
export interface WorkerTask {
  readonly engine: PageEngine;
  readonly tasks: readonly LoopTask[];
  readonly effort: Effort;
}

/** One round of one of its tasks, by index. */
export interface RoundRequest {
  readonly task: number;
}

export interface RoundReply {
  /** ns per operation, of each batch. */
  readonly samples: readonly number[];
}

const { engine, tasks, effort } = workerData as WorkerTask;
inlineMore();
if (engine === "virtual") installPlainAtomics();
const opened = new Map<number, { readonly loop: Loop; readonly count: number }>();

function open(task: number): { readonly loop: Loop; readonly count: number } {
  const known = opened.get(task);
  if (known !== undefined) return known;
  const loop = loopOf(tasks[task]);
  const one = { loop, count: warmUp(loop, effort) };
  opened.set(task, one);
  return one;
}

parentPort?.on("message", async ({ task }: RoundRequest) => {
  const { loop, count } = open(task);
  const reply: RoundReply = { samples: await measureLoop(loop, count, effort) };
  parentPort?.postMessage(reply);
});
