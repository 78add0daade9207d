import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { StealclockError } from "../../src/shared/errors.js";
import type { CrewReport, CrewTask } from "./contended-worker.js";
import { CrewControl, type CrewMemory, createCrewMemory } from "./crew-memory.js";
import type { Shape } from "./shapes.js";

const WORKER_FILE = join(__dirname, "contended-worker.js");

/** A writer and as many readers as the largest shape needs: raw workers that stay for all rounds. */
export class BenchCrew {
  readonly #memory: CrewMemory;
  readonly #control: CrewControl;
  readonly #workers: readonly Worker[];
  #reports: CrewReport[] = [];
  #failure: StealclockError | null = null;
  /** Called when a report or a failure has come. */
  #onNews: () => void = () => {};

  constructor(readers: number) {
    this.#memory = createCrewMemory(Math.max(1, readers), 1 + readers);
    this.#control = new CrewControl(this.#memory);
    this.#workers = Array.from({ length: 1 + readers }, (_, slot) => this.#start({ memory: this.#memory, slot }));
  }

  /** Lets the threads of a shape run against each other. @returns what each of them counted, by slot */
  async run(shape: Shape, windowMs: number): Promise<CrewReport[]> {
    const threads = shape.readers + (shape.hasWriter ? 1 : 0);
    this.#reports = [];
    this.#control.call(shape);
    while (this.#control.atStart < threads) {
      this.#throwFailure();
      await sleep(1);
    }
    this.#control.start();
    await sleep(windowMs);
    this.#control.end();
    while (this.#reports.length < threads) {
      this.#throwFailure();
      await new Promise<void>((resolve) => {
        this.#onNews = resolve;
      });
    }
    return this.#reports.sort((a, b) => a.slot - b.slot);
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.removeAllListeners("exit").terminate()));
  }

  #start(task: CrewTask): Worker {
    const worker = new Worker(WORKER_FILE, { workerData: task });
    worker.on("message", (report: CrewReport) => {
      this.#reports.push(report);
      this.#onNews();
    });
    const fail = (what: string): void => {
      this.#failure ??= new StealclockError("part-died", `thread ${task.slot} of the contended rows died: ${what}`);
      this.#onNews();
    };
    worker.on("error", (error) => fail(String(error)));
    worker.on("exit", (code) => fail(`exit code ${code}`));
    return worker;
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}
