import { COMMAND_WORD, GATE_CLOSED, GATE_WORD, ThreadState, ThreadWord, threadBase } from "./stress-memory.js";

/** A thread's view of control memory: what it is told, and what it lets be seen of itself. */
export class ThreadControl {
  readonly #control: Int32Array;
  readonly #base: number;

  constructor(control: SharedArrayBuffer, slot: number) {
    this.#control = new Int32Array(control);
    this.#base = threadBase(slot);
  }

  /** Sleeps until the gate opens. */
  passGate(): void {
    this.show(ThreadWord.State, ThreadState.Ready);
    Atomics.wait(this.#control, GATE_WORD, GATE_CLOSED);
    this.show(ThreadWord.State, ThreadState.Running);
  }

  /** The phase that the run is in, or STOP. Ordered against nothing: a call that comes late does no harm. */
  get command(): number {
    return Atomics.load(this.#control, COMMAND_WORD);
  }

  /** Ordered against nothing: whoever looks wants to know that this thread is alive, and roughly how far. */
  show(word: number, value: number): void {
    Atomics.store(this.#control, this.#base + word, value);
  }
}
