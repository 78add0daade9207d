import { throwProblems } from "../engine/scenario-problem.js";

/** A refusal whose place is already known: "--pin", "hogs.yaml:3:8: pin". */
export interface PlacedProblem {
  readonly where: string;
  readonly message: string;
}

/** @throws StealclockError `bad-input` when there are any */
export function refusePlaces(problems: readonly PlacedProblem[]): void {
  const asProblems = problems.map(({ where, message }) => ({ code: "bad-input" as const, path: where, message }));
  throwProblems(asProblems, (problem) => problem.path);
}
