import { join } from "node:path";
import { SHARE_ENV } from "node:worker_threads";
import { Piscina } from "piscina";
import { guestCpuConfigOf } from "../guest-config.js";
import type { Scenario } from "../scenario.js";
import type { VcpuReport } from "../vcpu-report.js";
import type { VcpuTask, VcpuWorkerData } from "./messages.js";

/** A vCPU needs a few MB; the limit is what stops one that runs wild from taking the others with it. */
const VCPU_RESOURCE_LIMITS = { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 };

/** Threads to start between two looks at what has happened. */
const START_BATCH = 8;

/** How long destroying the pool may take before the process's end has to do it. */
const DESTROY_TIMEOUT_MS = 500;

/** A part of the run that died: which, and of what. */
export class PartDiedError extends Error {
  readonly part: string;

  constructor(part: string, message: string) {
    super(message);
    this.name = "PartDiedError";
    this.part = part;
  }
}

/**
 * One thread per vCPU, no more and no fewer: they wait for each other, so a pool that queues one of them would hang. Tasks
 * settle only while the owning thread is in its event loop.
 */
export class VcpuPool {
  readonly #pool: Piscina<VcpuTask, VcpuReport>;
  readonly #scenario: Scenario;
  readonly #reports: Promise<VcpuReport>[] = [];
  #death: PartDiedError | null = null;

  constructor(scenario: Scenario, data: VcpuWorkerData) {
    this.#scenario = scenario;
    this.#pool = new Piscina({
      // vcpu-worker.js and all it imports as one file (npm run build): 256 threads that load 30 modules each take half as
      // long again to start.
      filename: join(__dirname, "vcpu-worker.bundle.js"),
      // None at first: every task brings a thread of its own, and threads are started a few at a time.
      minThreads: 0,
      maxThreads: scenario.vcpus.length,
      // A worker that blocks on Piscina's own Atomics could not be stopped in an orderly way.
      atomics: "disabled",
      resourceLimits: VCPU_RESOURCE_LIMITS,
      // A copy of the environment and a list of open files are work that every thread would do for nothing.
      env: SHARE_ENV,
      trackUnmanagedFds: false,
      workerData: data,
    });
  }

  /**
   * Starts a few more threads: to start hundreds at one go would take seconds in which nobody could be told to stop.
   *
   * @returns whether all have been started
   */
  startSome(): boolean {
    const count = this.#scenario.vcpus.length;
    const until = Math.min(count, this.#reports.length + START_BATCH);
    for (let id = this.#reports.length; id < until; id++) this.#reports.push(this.#start(id));
    return until === count;
  }

  /** The first vCPU that died, or null. */
  get death(): PartDiedError | null {
    return this.#death;
  }

  /** All reports, once every vCPU has left its loop. */
  async reports(): Promise<VcpuReport[]> {
    return Promise.all(this.#reports);
  }

  /** Stops every thread, whatever it is doing. Bounded. */
  async destroy(): Promise<void> {
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, DESTROY_TIMEOUT_MS).unref());
    await Promise.race([this.#pool.destroy(), timeout]);
  }

  #start(id: number): Promise<VcpuReport> {
    const report = this.#pool.run(taskOf(this.#scenario, id));
    report.catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#death ??= new PartDiedError(`vCPU ${id}`, message);
    });
    return report;
  }
}

function taskOf(scenario: Scenario, id: number): VcpuTask {
  return {
    cpu: guestCpuConfigOf(scenario, id),
    tickPhaseNs: scenario.vcpus[id].tickPhaseNs,
    fault: scenario.faults.find(({ part }) => part === id) ?? null,
  };
}
