import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { ThreadState, ThreadWord, threadBase } from "./stress-memory.js";
import type { ThreadMessage, ThreadReport, ThreadTask } from "./thread-task.js";

const WORKER_FILE = join(__dirname, "stress-worker.js");
/** Enough for the harness, and little enough that a protocol that eats memory is soon found out. */
const HEAP_MB = 64;

/** What went wrong with a thread. */
export interface ThreadTrouble {
  /** It died, it hangs, it was given no core for too long, or the protocol did what it must not. */
  readonly kind: "died" | "hangs" | "starved" | "protocol failed";
  readonly message: string;
}

/** One thread of a run, as seen from outside. */
export class CrewMember {
  readonly name: string;
  ready = false;
  repairs = true;
  /** Its protocol has a writeSteal(). */
  writesSteal = false;
  report: ThreadReport | null = null;
  trouble: ThreadTrouble | null = null;
  ended = false;
  /** It is going to be killed on purpose: that is no trouble. */
  mayDie = false;
  readonly #worker: Worker;
  readonly #role: ThreadTask["role"];
  readonly #control: Int32Array;
  readonly #base: number;
  readonly #done = new WrappedCount();
  readonly #steals = new WrappedCount();
  #lastSeen = "";
  #quietLooks = 0;

  constructor(name: string, task: ThreadTask) {
    this.name = name;
    this.#role = task.role;
    this.#control = new Int32Array(task.memory.control);
    this.#base = threadBase(task.slot);
    this.#worker = new Worker(WORKER_FILE, {
      workerData: task,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
      stdout: true,
    });
    // What a protocol prints is no part of the result. No pipe: each leaves listeners, of which ten are held for a leak.
    this.#worker.stdout.on("data", (chunk: Uint8Array) => process.stderr.write(chunk));
    this.#worker.on("message", (message: ThreadMessage) => this.#hear(message));
    this.#worker.on("error", (error: unknown) =>
      this.#fail({ kind: "died", message: error instanceof Error ? error.message : String(error) }),
    );
    this.#worker.on("exit", (code) => {
      this.ended = true;
      if (this.report === null) this.#fail({ kind: "died", message: this.#whyEnded(code) });
    });
  }

  /** It has nothing more to say. */
  get isOver(): boolean {
    return this.report !== null || this.ended;
  }

  /** It is on its way out though nobody has told it to go. */
  get isDying(): boolean {
    return !this.isOver && !this.mayDie && this.seen(ThreadWord.State) === ThreadState.Leaving;
  }

  /** One of the words by which a thread lets itself be seen. */
  seen(word: number): number {
    return Atomics.load(this.#control, this.#base + word);
  }

  /** Updates or reads done so far. */
  get done(): number {
    return this.#done.at(this.seen(ThreadWord.Done));
  }

  /** Updates so far that wrote the steal alone. */
  get steals(): number {
    return this.#steals.at(this.seen(ThreadWord.Steals));
  }

  /**
   * To be called at regular intervals.
   *
   * @returns how many looks ago this thread was last seen to get on; 0 while it has nothing to do
   */
  lookIfQuiet(): number {
    const state = this.seen(ThreadWord.State);
    const seen = `${state} ${this.done} ${this.steals}`;
    const isIdle = this.isOver || state === ThreadState.Ready || state === ThreadState.Parked;
    this.#quietLooks = isIdle || seen !== this.#lastSeen ? 0 : this.#quietLooks + 1;
    this.#lastSeen = seen;
    return this.#quietLooks;
  }

  /** What the protocol's code is at in this thread, for messages. */
  get calling(): string {
    switch (this.seen(ThreadWord.State)) {
      case ThreadState.Loading:
        return "its module";
      case ThreadState.ProbingWrite:
        return "write()";
      case ThreadState.ProbingWriteSteal:
        return "writeSteal()";
      case ThreadState.ProbingRead:
        return "read()";
      default:
        if (this.#role === "reader") return "read()";
        return this.writesSteal ? "write() or writeSteal()" : "write()";
    }
  }

  /** Ends the thread wherever it is. */
  async terminate(): Promise<void> {
    this.#worker.removeAllListeners("exit");
    await this.#worker.terminate();
    this.ended = true;
  }

  #whyEnded(code: number): string {
    // A module that waits for what never comes leaves its thread with nothing to do.
    return `its thread ended with code ${code} ${this.ready ? "before the run did" : "while the module was loaded"}`;
  }

  #hear(message: ThreadMessage): void {
    switch (message.kind) {
      case "ready":
        this.ready = true;
        this.repairs = message.repairs;
        this.writesSteal = message.writesSteal;
        return;
      case "report":
        this.report = message.report;
        return;
      case "protocol failed":
        this.#fail({ kind: "protocol failed", message: message.message });
        return;
    }
  }

  /** The first trouble tells; what follows from it does not. */
  #fail(trouble: ThreadTrouble): void {
    if (!this.mayDie) this.trouble ??= trouble;
  }
}

/** A count out of a shared word that wraps at 2^32. It has to be looked at every now and then. */
class WrappedCount {
  #count = 0;
  #last = 0;

  /** @param word as it is now */
  at(word: number): number {
    this.#count += (word - this.#last) >>> 0;
    this.#last = word;
    return this.#count;
  }
}

export const WRITER_NAME = "the writer";

export function readerName(reader: number): string {
  return `reader ${reader}`;
}
