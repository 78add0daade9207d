import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { printScenario } from "../cli/scenario-print.js";
import { count } from "../shared/text.js";
import { formatDuration } from "../shared/units.js";
import { randomScenario } from "./random-scenario.js";
import { type Shrunk, shrink } from "./shrink.js";
import type { Failure } from "./tally.js";

/** Where scenarios that failed are kept, in the folder that the fuzzer was started in. */
const FOLDER = "fuzz-failures";
const MAX_SHRINK_RUNS = 600;

/** A failure as it is told: what broke, in how simple a scenario, and where to find that. */
export interface KeptFailure {
  readonly seed: number;
  readonly property: string;
  readonly problem: string;
  /** The problem of the shrunk scenario. */
  readonly shrunkProblem: string;
  readonly shrinkRuns: number;
  readonly size: string;
  readonly file: string;
  /** Runs the file with every property of the fuzzer. */
  readonly replay: string;
  /** Runs it as any scenario, with tables and every property that can be had there. */
  readonly emulate: string;
}

/** Shrinks what failed and keeps it as a scenario file. */
export function keepFailure({ seed, problems }: Failure): KeptFailure {
  const [problem] = problems;
  const shrunk = shrink(randomScenario(seed), problem, MAX_SHRINK_RUNS);
  const file = join(FOLDER, `seed-${seed}.yaml`);
  const replay = `npm run fuzz -- --scenario ${file}`;
  const emulate = `npm run -s emulate -- --scenario ${file} --full-checks`;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(file, fileText(seed, shrunk, [replay, emulate]));
  return {
    seed,
    property: problem.property,
    problem: problem.text,
    shrunkProblem: shrunk.problem.text,
    shrinkRuns: shrunk.runs,
    size: sizeOf(shrunk),
    file,
    replay,
    emulate,
  };
}

function sizeOf({ scenario: { vcpus, pcpus, hostTasks, timeline, durationNs } }: Shrunk): string {
  const parts = [count(vcpus.length, "vCPU"), count(pcpus, "pCPU")];
  if (hostTasks.length > 0) parts.push(count(hostTasks.length, "host task"));
  if (timeline.length > 0) parts.push(count(timeline.length, "event"));
  return `${parts.join(", ")}, ${formatDuration(durationNs)}`;
}

function fileText(seed: number, { scenario, problem }: Shrunk, commands: readonly string[]): string {
  const comment = [
    `Shrunk from seed ${seed} of the fuzzer. Broken: ${problem.property}.`,
    problem.text,
    "Replay:",
    ...commands.map((command) => `  ${command}`),
  ];
  return `${comment.map((line) => `# ${line}\n`).join("")}${printScenario(scenario)}`;
}
