import { type ErrorCode, StealclockError } from "../shared/errors.js";

/** One thing that keeps a scenario from being run. */
export interface ScenarioProblem {
  readonly code: Extract<ErrorCode, "bad-input" | "unsupported">;
  /** The scenario's field: "sliceNs", "watchdog.periodNs", "vcpus.3.pcpus". */
  readonly path: string;
  /** What is wrong and what is accepted. */
  readonly message: string;
}

const MESSAGES_SHOWN = 5;

/** Gathers what is wrong with a scenario. */
export class ProblemList {
  readonly problems: ScenarioProblem[] = [];

  /** @param message what is wrong and what is accepted; null when nothing is */
  refuse(path: string, message: string | null): void {
    if (message !== null) this.problems.push({ code: "bad-input", path, message });
  }

  /** This machine cannot do it. */
  unsupported(path: string, message: string): void {
    this.problems.push({ code: "unsupported", path, message });
  }
}

/**
 * Throws what was found as one error; does nothing when nothing was.
 *
 * @param where how a problem's place is called where the scenario came from: a flag, a line of a file
 */
export function throwProblems(problems: readonly ScenarioProblem[], where: (problem: ScenarioProblem) => string): void {
  const [first] = problems;
  if (first === undefined) return;
  // One flag can be at fault for every vCPU in the same words: once is enough.
  const all = [...new Set(problems.map((problem) => `${where(problem)}: ${problem.message}`))];
  const lines = all.slice(0, MESSAGES_SHOWN);
  if (all.length > lines.length) lines.push(`and ${all.length - lines.length} more`);
  throw new StealclockError(first.code, lines.join("\n"));
}
