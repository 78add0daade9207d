import type { InterruptAccess } from "./interrupt-access.js";
import { FAULT_WORD, FaultState, ThreadState, ThreadWord } from "./stress-memory.js";
import type { ThreadControl } from "./thread-control.js";
import type { ThreadFault, ThreadTask } from "./thread-task.js";

/** In the middle of an update, and of a read: half of the payload is done. */
const STRUCK_WORD = 4;
/** What a thread that dies leaves with. */
const EXIT_CODE = 9;

/** Strikes this thread in the middle of an update or a read, once armed: the protocol's own code is not touched. */
export class FaultTrap {
  readonly #fault: ThreadFault;
  readonly #interrupt: InterruptAccess;
  readonly #access: "load" | "store";
  readonly #words: Int32Array;
  readonly #control: ThreadControl;
  #isSet = false;

  constructor(fault: ThreadFault, interrupt: InterruptAccess, { role, memory }: ThreadTask, control: ThreadControl) {
    this.#fault = fault;
    this.#interrupt = interrupt;
    this.#access = role === "writer" ? "store" : "load";
    this.#words = new Int32Array(memory.control);
    this.#control = control;
  }

  /** Before each update or read. @param page the page that it is of */
  look(page: Int32Array): void {
    // Ordered against nothing: an update more or less before it strikes does no harm.
    if (this.#isSet || Atomics.load(this.#words, FAULT_WORD) !== FaultState.Armed) return;
    this.#isSet = true;
    this.#interrupt(this.#access, page, STRUCK_WORD, () => this.#strike());
  }

  #strike(): void {
    // After the stores to the page that came before it: who sees that the writer has stopped finds the version odd. The
    // run may have been ended meanwhile: then nobody would wake who falls asleep here.
    const state = Atomics.compareExchange(this.#words, FAULT_WORD, FaultState.Armed, FaultState.Struck);
    if (state !== FaultState.Armed) return;
    switch (this.#fault) {
      case "stalls":
        this.#control.show(ThreadWord.State, ThreadState.Parked);
        Atomics.wait(this.#words, FAULT_WORD, FaultState.Struck);
        this.#control.show(ThreadWord.State, ThreadState.Running);
        return;
      case "dies":
        // Of a worker: ends this thread where it stands, and no other.
        process.exit(EXIT_CODE);
        return;
      case "runs out of memory":
        fillMemory();
        return;
    }
  }
}

/** By large pieces: of small ones V8 of Node 24 is out before the worker's limit ends it, and then ends the process. */
function fillMemory(): never {
  for (const kept: number[][] = []; ; ) kept.push(new Array<number>(100_000).fill(0.5));
}
