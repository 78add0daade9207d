import { ALL_PROTOCOLS } from "../protocols.js";
import { Crew } from "./crew.js";
import { type CrewMember, readerName, WRITER_NAME } from "./crew-member.js";
import { moduleOf } from "./protocol-on-trial.js";
import { COMMAND_WORD, createStressMemory, FAULT_WORD, type StressMemory, ThreadWord } from "./stress-memory.js";
import type { Fault, StressOptions, StressProgress } from "./stress-run.js";
import type { ThreadFault, ThreadTask } from "./thread-task.js";

/** Faults that strike a thread, and how. */
const WRITER_FAULTS: Partial<Record<Fault, ThreadFault>> = {
  "writer-stalls": "stalls",
  "writer-dies": "dies",
  "writer-killed": "dies",
};
const READER_FAULTS: Partial<Record<Fault, ThreadFault>> = {
  "reader-killed": "dies",
  "out-of-memory": "runs out of memory",
};

/** A writer may be followed by another, when it died. */
const WRITER_SLOTS = 2;

/** A writer and its readers, and the memory that they share. */
export class ThreadTeam {
  readonly crew: Crew;
  readonly readers: readonly CrewMember[];
  readonly #options: StressOptions;
  readonly #memory: StressMemory;
  readonly #control: Int32Array;
  /** The one at work is the last; before it those that died. */
  readonly #writers: CrewMember[] = [];

  /** Starts all threads; they wait at the gate. */
  constructor(options: StressOptions) {
    const { protocol, readers, pages, readersApart = false, fault } = options;
    this.#options = options;
    const createMemory = () => createStressMemory(pages, WRITER_SLOTS + readers, moduleOf(protocol.layout));
    this.#memory = createMemory();
    this.#control = new Int32Array(this.#memory.control);
    const isUsersOwn = !ALL_PROTOCOLS.some(({ file }) => file === protocol.file);
    this.crew = new Crew(this.#memory.control, { name: protocol.name, isUsersOwn });
    this.#startWriter(faultOf(WRITER_FAULTS, fault));
    const memory = readersApart ? { ...this.#memory, ram: createMemory().ram } : this.#memory;
    this.readers = Array.from({ length: readers }, (_, reader) =>
      this.crew.start(
        readerName(reader),
        this.#task({
          role: "reader",
          slot: WRITER_SLOTS + reader,
          firstPage: reader,
          memory,
          // One is struck; the others see it out.
          fault: reader === 0 ? faultOf(READER_FAULTS, fault) : null,
        }),
      ),
    );
  }

  get writer(): CrewMember {
    return this.#writers[this.#writers.length - 1];
  }

  get isReady(): boolean {
    return this.writer.ready && this.readers.every(({ ready }) => ready);
  }

  /** Of all writers so far. */
  get updates(): number {
    return this.#writers.reduce((sum, { done }) => sum + done, 0);
  }

  /** Of all writers so far, those that wrote the steal alone; null where the protocol has none. */
  get steals(): number | null {
    return this.writer.writesSteal ? this.#writers.reduce((sum, { steals }) => sum + steals, 0) : null;
  }

  progress(elapsedNs: number): StressProgress {
    const sumOf = (count: (reader: CrewMember) => number) => this.readers.reduce((sum, one) => sum + count(one), 0);
    return {
      elapsedNs,
      updates: this.updates,
      reads: sumOf(({ done }) => done),
      overlaps: sumOf((reader) => reader.seen(ThreadWord.Overlaps) >>> 0),
      stealsMet: sumOf((reader) => reader.seen(ThreadWord.StealsMet) >>> 0),
      torn: sumOf((reader) => reader.seen(ThreadWord.Torn) >>> 0),
    };
  }

  /** A writer in place of one that died. */
  startNextWriter(): void {
    this.#startWriter(null);
  }

  /** Reads that begin from now on are counted in this phase. */
  enterPhase(phase: number): void {
    // After the fault has struck and before it is over: each is seen before this, or stored after it.
    Atomics.store(this.#control, COMMAND_WORD, phase);
  }

  /** Once it is Struck, all that the struck thread had stored to the page before can be seen. */
  get faultState(): number {
    return Atomics.load(this.#control, FAULT_WORD);
  }

  setFaultState(state: number): void {
    // After the phase that goes with it: what is written once a fault is over is read in the phase after it.
    Atomics.store(this.#control, FAULT_WORD, state);
    Atomics.notify(this.#control, FAULT_WORD);
  }

  #startWriter(fault: ThreadFault | null): void {
    const slot = this.#writers.length;
    this.#writers.push(this.crew.start(WRITER_NAME, this.#task({ role: "writer", slot, fault })));
  }

  #task(
    own: Pick<ThreadTask, "role" | "slot" | "fault"> & Partial<Pick<ThreadTask, "firstPage" | "memory">>,
  ): ThreadTask {
    const { protocol, maxRetries } = this.#options;
    return { file: protocol.file, maxRetries, memory: this.#memory, firstPage: 0, ...own };
  }
}

function faultOf(faults: Partial<Record<Fault, ThreadFault>>, fault: Fault | undefined): ThreadFault | null {
  return (fault === undefined ? undefined : faults[fault]) ?? null;
}
