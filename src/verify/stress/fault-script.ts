import type { Ns } from "../../shared/units.js";
import type { CrewMember } from "./crew-member.js";
import type { ReadTally } from "./read-tally.js";
import { mergeTallies } from "./read-tally.js";
import { FaultState, ThreadWord } from "./stress-memory.js";
import type { Fault, FaultPhase, FaultReport, StressOptions } from "./stress-run.js";
import type { ThreadReport } from "./thread-task.js";
import type { ThreadTeam } from "./thread-team.js";

/** A phase goes on until what it is for has come about, but no longer than this. */
const LONGEST_PHASE_NS: Ns = 10_000_000_000;
/** So many reads of each reader show that reading goes on. */
const READS_SHOWN = 1_000;
/** A reader that gave up so often while the writer was stopped has met that. */
const GAVE_UPS_SHOWN = 3;

const PHASE_NAMES: Partial<Record<Fault, readonly string[]>> = {
  "writer-stalls": ["before", "writer stalled", "writer goes on"],
  "writer-dies": ["before", "writer dead", "next writer"],
};

/** Leads a run through a fault: some while without it, then with it, and, where there is an after, after it. */
export class FaultScript {
  readonly #fault: Fault;
  readonly #team: ThreadTeam;
  readonly #thirdNs: Ns;
  readonly #isOver: () => boolean;
  readonly #elapsedNs: () => Ns;
  /** Updates done when each phase but the last ended. */
  readonly #updatesUntil: number[] = [];

  /** @param elapsedNs time since the gate opened */
  constructor(fault: Fault, { durationNs, signal }: StressOptions, team: ThreadTeam, elapsedNs: () => Ns) {
    this.#fault = fault;
    this.#team = team;
    this.#thirdNs = durationNs / 3;
    this.#isOver = () => signal?.aborted === true;
    this.#elapsedNs = elapsedNs;
  }

  /** @throws what the crew throws: where a part is killed for good, that it died */
  async play(onLook: () => void): Promise<void> {
    const { readers, writer } = this.#team;
    await this.#goOn(
      onLook,
      everyReader(readers, ({ done }) => done, READS_SHOWN),
    );
    writer.mayDie = this.#fault === "writer-dies";
    this.#team.setFaultState(FaultState.Armed);
    await this.#untilStruck();
    if (this.#team.faultState === FaultState.Struck) await this.#seeItOut(onLook, writer);
    // Also when the run is stopped early: a writer that sleeps has to hear of that.
    this.#team.setFaultState(FaultState.Over);
  }

  /** What happened in each phase, when all threads have stopped. */
  report(reports: readonly ThreadReport[]): FaultReport {
    const names = PHASE_NAMES[this.#fault] ?? [];
    const phases = names.map((name, phase): FaultPhase => {
      const { reads, gaveUp, torn } = mergeTallies(reports.flatMap(({ tallies }) => tallies.slice(phase, phase + 1)));
      const updates = (this.#updatesUntil[phase] ?? this.#team.updates) - (this.#updatesUntil[phase - 1] ?? 0);
      return { name, updates, reads, accepted: reads - gaveUp, gaveUp, torn };
    });
    return { name: this.#fault, phases };
  }

  /** Every reader gave up while the writer was stopped, and accepted reads again afterwards. */
  static wasMet(reports: readonly ThreadReport[]): boolean {
    const readers = reports.filter(({ role }) => role === "reader");
    const accepted = ({ reads, gaveUp }: ReadTally) => reads - gaveUp;
    return readers.every(({ tallies: [, during, after] }) => during.gaveUp > 0 && accepted(after) > 0);
  }

  /** A part that is killed for good ends the run here, by an error that names it. */
  async #untilStruck(): Promise<void> {
    const startNs = this.#elapsedNs();
    const isAtAnEnd = () => this.#isOver() || this.#elapsedNs() - startNs >= LONGEST_PHASE_NS;
    const hasPhases = this.#fault in PHASE_NAMES;
    await this.#team.crew.until(() => isAtAnEnd() || (hasPhases && this.#team.faultState === FaultState.Struck));
  }

  /** What is to come of a writer that has stopped, and of its readers. */
  async #seeItOut(onLook: () => void, stopped: CrewMember): Promise<void> {
    const { readers } = this.#team;
    this.#enterPhase(1);
    await this.#goOn(
      onLook,
      everyReader(readers, (reader) => reader.seen(ThreadWord.GaveUp), GAVE_UPS_SHOWN),
    );
    if (this.#fault === "writer-dies" && !this.#isOver()) await this.#startNextWriter(stopped);
    this.#enterPhase(2);
    this.#team.setFaultState(FaultState.Over);
    this.#team.crew.openGate();
    await this.#goOn(
      onLook,
      everyReader(readers, ({ done }) => done, READS_SHOWN),
    );
  }

  /** The next writer waits at the gate, so that the phase in which nobody writes ends before it writes. */
  async #startNextWriter(dead: CrewMember): Promise<void> {
    const { crew } = this.#team;
    await crew.until(() => dead.ended);
    crew.closeGate();
    this.#team.startNextWriter();
    await crew.until(() => this.#isOver() || this.#team.writer.ready);
  }

  #enterPhase(phase: number): void {
    this.#updatesUntil.push(this.#team.updates);
    this.#team.enterPhase(phase);
  }

  /** Until the phase has lasted, and what it is for was shown. */
  async #goOn(onLook: () => void, isShown: () => boolean): Promise<void> {
    const startNs = this.#elapsedNs();
    await this.#team.crew.until(() => {
      onLook();
      const phaseNs = this.#elapsedNs() - startNs;
      return this.#isOver() || (phaseNs >= this.#thirdNs && (isShown() || phaseNs >= LONGEST_PHASE_NS));
    });
  }
}

/** A condition: each reader's count has grown by so much since now. */
function everyReader(readers: readonly CrewMember[], count: (reader: CrewMember) => number, by: number): () => boolean {
  const atStart = readers.map(count);
  return () => readers.every((reader, index) => count(reader) - atStart[index] >= by);
}
