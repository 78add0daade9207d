import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { StealclockError } from "../../src/shared/errors.js";
import type { Effort, RowSpec, TrialPlan } from "../harness/trial.js";
import type { RoundReply, RoundRequest, WorkerTask } from "./apart-worker.js";
import type { LoopTask, PageEngine } from "./tasks.js";

const WORKER_FILE = join(__dirname, "apart-worker.js");

/** A row, and what is done for it. */
export interface ApartRow {
  readonly spec: RowSpec;
  readonly task: LoopTask;
  /** What the row shows of ns per operation; the time itself when left out. */
  readonly show?: (nsPerOp: number) => number;
}

/**
 * Plans that run in one thread of their own, whose compiler has seen nothing else: with all of them in one thread the calls that
 * accounting rules and update policies are chosen by would be as slow as all of them together make them.
 */
export function plansApart(engine: PageEngine, rows: readonly ApartRow[], change: Partial<Effort> = {}): TrialPlan[] {
  const tasks = rows.map(({ task }) => task);
  let thread: Worker | null = null;
  let users = 0;
  return rows.map(({ spec, show = (ns) => ns }, task) => ({
    rows: [spec],
    open: async (effort) => {
      const own: WorkerTask = { engine, tasks, effort: { ...effort, ...change } };
      thread ??= new Worker(WORKER_FILE, { workerData: own });
      const worker = thread;
      users++;
      // The first round makes the loop and warms it up.
      await ask(worker, { task });
      return {
        round: async () => [(await ask(worker, { task })).map(show)],
        close: async () => {
          if (--users > 0) return;
          thread = null;
          await worker.terminate();
        },
      };
    },
  }));
}

function ask(worker: Worker, request: RoundRequest): Promise<readonly number[]> {
  return new Promise((resolve, reject) => {
    const fail = (what: unknown): void =>
      reject(new StealclockError("part-died", `a thread of the bench died: ${what}`));
    const onExit = (code: number): void => fail(`exit code ${code}`);
    worker.once("error", fail);
    worker.once("exit", onExit);
    worker.once("message", ({ samples }: RoundReply) => {
      worker.off("error", fail);
      worker.off("exit", onExit);
      resolve(samples);
    });
    worker.postMessage(request);
  });
}
