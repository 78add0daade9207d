import { setTimeout as sleep } from "node:timers/promises";
import { StealclockError } from "../../shared/errors.js";
import { CrewMember, type ThreadTrouble } from "./crew-member.js";
import { COMMAND_WORD, GATE_CLOSED, GATE_OPEN, GATE_WORD, STOP, ThreadState, ThreadWord } from "./stress-memory.js";
import type { ThreadReport, ThreadTask } from "./thread-task.js";

/** How often the crew is looked after. Counted in looks, not by a clock: a process that was stopped has not hung. */
const LOOK_MS = 20;
const LOADS_WITHIN_S = 10;
const RETURNS_WITHIN_S = 4;
/** Before a thread is taken to hang all others are stopped for so long: it may be dying, or only lack a core. */
const ALONE_S = 1;
const LOOKS_PER_S = 1_000 / LOOK_MS;
/** When one thread is in trouble the others have this long to leave by themselves. */
const GRACE_MS = 100;

/** Whose code runs in the threads: a user's own file is to blame for what goes wrong in it. */
export interface CrewProtocol {
  readonly name: string;
  readonly isUsersOwn: boolean;
}

/**
 * The threads of a run, looked after: whatever goes wrong in one ends all of them, and is thrown by whichever method is
 * waiting then.
 *
 * All methods throw StealclockError: "part-died", naming the thread; "bad-input" when it is the user's protocol that
 * threw, hangs, or has the wrong form.
 */
export class Crew {
  readonly #control: Int32Array;
  readonly #protocol: CrewProtocol;
  readonly #members: CrewMember[] = [];
  readonly #suspects = new Set<CrewMember>();

  constructor(control: SharedArrayBuffer, protocol: CrewProtocol) {
    this.#control = new Int32Array(control);
    this.#protocol = protocol;
  }

  start(name: string, task: ThreadTask): CrewMember {
    const member = new CrewMember(name, task);
    this.#members.push(member);
    return member;
  }

  /** Waits until the condition holds, looking every 20 ms. */
  async until(condition: () => boolean): Promise<void> {
    for (;;) {
      this.#throwTrouble();
      if (condition()) return;
      await sleep(LOOK_MS);
      this.#lookForHangs();
    }
  }

  /** Lets all threads begin at once. */
  openGate(): void {
    // After the command, where one was given: who passes the gate sees it.
    Atomics.store(this.#control, GATE_WORD, GATE_OPEN);
    Atomics.notify(this.#control, GATE_WORD);
  }

  /** Threads that are started from now on wait for it to open again. */
  closeGate(): void {
    // Before the threads that it is for are started; those that have passed look at it no more.
    Atomics.store(this.#control, GATE_WORD, GATE_CLOSED);
  }

  /** Tells all threads to stop, and waits for what they have to report, in the order in which they were started. */
  async finish(): Promise<ThreadReport[]> {
    this.#stop();
    await this.until(() => this.#members.every(({ isOver }) => isOver));
    return this.#members.flatMap(({ report }) => report ?? []);
  }

  /** Ends whoever is still there. No thread is left when this is done. */
  async end(): Promise<void> {
    this.#stop();
    const allOver = () => this.#members.every(({ isOver }) => isOver);
    for (let waitedMs = 0; waitedMs < GRACE_MS && !allOver(); waitedMs += LOOK_MS) await sleep(LOOK_MS);
    await Promise.all(this.#members.map((member) => member.terminate()));
  }

  #stop(): void {
    // Ordered against nothing but the gate: threads look at the command before every operation.
    Atomics.store(this.#control, COMMAND_WORD, STOP);
    this.openGate();
  }

  #throwTrouble(): void {
    for (const { name, trouble } of this.#members) {
      if (trouble !== null) throw this.#errorOf(name, trouble);
    }
  }

  #errorOf(name: string, { kind, message }: ThreadTrouble): StealclockError {
    const { name: protocol, isUsersOwn } = this.#protocol;
    const isToBlame = isUsersOwn && kind !== "starved";
    if (isToBlame && kind === "died") return new StealclockError("bad-input", `${protocol}: ${name} died: ${message}`);
    if (isToBlame) return new StealclockError("bad-input", `${protocol}: ${message}`);
    const what = kind === "hangs" ? "hangs" : kind === "starved" ? "got no processor" : "died";
    return new StealclockError("part-died", `${name} ${what}: ${message}`);
  }

  #lookForHangs(): void {
    for (const member of this.#members) {
      if (member.isDying) this.#stop();
      const quietS = member.lookIfQuiet() / LOOKS_PER_S;
      const limitS = member.seen(ThreadWord.State) === ThreadState.Loading ? LOADS_WITHIN_S : RETURNS_WITHIN_S;
      if (this.#suspects.has(member)) member.trouble ??= troubleOfSuspect(member, quietS, limitS);
      else if (quietS >= limitS - ALONE_S) {
        this.#suspects.add(member);
        this.#stop();
      }
    }
  }
}

/** What became of a thread that was quiet for so long that all others were stopped; null while that is not known. */
function troubleOfSuspect(member: CrewMember, quietS: number, limitS: number): ThreadTrouble | null {
  if (member.isOver) {
    const message = `nothing done for ${limitS - ALONE_S} s; there may be too many readers for this machine`;
    return { kind: "starved", message };
  }
  if (quietS < limitS) return null;
  const verb = limitS === LOADS_WITHIN_S ? "load" : "return";
  return { kind: "hangs", message: `${member.calling} did not ${verb} within ${limitS} s` };
}
