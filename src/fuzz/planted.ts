import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { count } from "../shared/text.js";
import { PLANTED_FAULTS, type PlantedFault } from "./planted-faults.js";
import { search } from "./search.js";
import type { Tally } from "./tally.js";

/** dist/src, the compiled program. */
const PROGRAM = join(__dirname, "..");
/** dist/assembly, which it loads from beside itself. */
const ASSEMBLY = join(PROGRAM, "../assembly");

export interface PlantedOptions {
  readonly faults?: readonly PlantedFault[];
  readonly seeds: number;
  readonly seedFrom: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/** What became of the faults, as it is printed; schema `stealclock.planted/1`. */
export interface PlantedResult {
  readonly schema: "stealclock.planted/1";
  readonly seedFrom: number;
  readonly seeds: number;
  /** Every fault was searched for and found. */
  readonly ok: boolean;
  readonly stoppedEarly: boolean;
  /** How many were to be planted. */
  readonly planned: number;
  /** Those whose search came to its end. */
  readonly faults: readonly FaultResult[];
}

/** Whether and how a fault was found. */
interface FaultResult {
  readonly name: string;
  readonly what: string;
  /** By the property that most seeds named; null when it was not found. */
  readonly foundBy: string | null;
  readonly firstSeed: number | null;
  readonly seedsFound: number;
  readonly seeds: number;
}

/** Plants each fault in a copy of the compiled program and runs the fuzzer of that copy. A search that is cut off tells nothing. */
export async function runPlanted({
  faults = PLANTED_FAULTS,
  onProgress,
  ...options
}: PlantedOptions): Promise<PlantedResult> {
  const { seedFrom, seeds, signal } = options;
  const results: FaultResult[] = [];
  for (const [index, fault] of faults.entries()) {
    if (signal.aborted) break;
    onProgress(`fault ${index + 1} of ${faults.length}: ${fault.name}`);
    const result = await findFault(fault, options);
    if (!signal.aborted || result.seeds === seeds) results.push(result);
  }
  const stoppedEarly = results.length < faults.length;
  const ok = !stoppedEarly && results.every(isFound);
  return { schema: "stealclock.planted/1", seedFrom, seeds, ok, stoppedEarly, planned: faults.length, faults: results };
}

/**
 * The text of a program's file with the fault in it.
 *
 * @throws RangeError when what it replaces is not there exactly once: the program has changed
 */
export function plant({ name, file, find, replace }: PlantedFault, text: string): string {
  const pieces = text.split(find);
  if (pieces.length !== 2) throw new RangeError(`${name}: found ${pieces.length - 1} times in ${file}: ${find}`);
  return pieces.join(replace);
}

/** The compiled text that a fault changes. */
export function programText({ file }: PlantedFault): string {
  return readFileSync(join(PROGRAM, file), "utf8");
}

/**
 * A copy of the compiled program with a fault in it.
 *
 * @param folder an empty one; whoever made it removes it
 * @returns the copy's dist/src
 */
export function plantedCopy(fault: PlantedFault, folder: string): string {
  const copy = join(folder, "src");
  cpSync(PROGRAM, copy, { recursive: true });
  cpSync(ASSEMBLY, join(folder, "assembly"), { recursive: true });
  symlinkSync(modulesFolder(), join(folder, "node_modules"), "junction");
  writeFileSync(join(copy, fault.file), plant(fault, programText(fault)));
  return copy;
}

async function findFault(
  fault: PlantedFault,
  options: Omit<PlantedOptions, "faults" | "onProgress">,
): Promise<FaultResult> {
  const folder = mkdtempSync(join(tmpdir(), "stealclock-planted-"));
  try {
    const tally = await search({
      ...options,
      workerFile: join(plantedCopy(fault, folder), "fuzz/fuzz-worker.js"),
      maxFailures: Number.POSITIVE_INFINITY,
      onProgress: () => {},
    });
    return resultOf(fault, tally);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function modulesFolder(): string {
  for (let folder = PROGRAM; folder !== dirname(folder); folder = dirname(folder)) {
    const modules = join(folder, "node_modules");
    if (existsSync(modules)) return modules;
  }
  throw new RangeError(`no node_modules above ${PROGRAM}`);
}

function resultOf({ name, what }: PlantedFault, { failures, scenarios }: Tally): FaultResult {
  const named = new Map<string, number>();
  for (const { problems } of failures) {
    for (const property of new Set(problems.map((problem) => problem.property))) {
      named.set(property, (named.get(property) ?? 0) + 1);
    }
  }
  const [most] = [...named].sort(([, a], [, b]) => b - a);
  return {
    name,
    what,
    foundBy: most === undefined ? null : most[0],
    firstSeed: failures.length === 0 ? null : failures[0].seed,
    seedsFound: failures.length,
    seeds: scenarios,
  };
}

export function plantedLines({ faults, seeds, planned, stoppedEarly }: PlantedResult): string[] {
  const missed = faults.filter((fault) => !isFound(fault)).length;
  const each = stoppedEarly ? "no verdict" : "each was found";
  const found = missed === 0 ? each : `${missed} not found`;
  return [
    `${"fault".padEnd(26)}${"first seed".padStart(10)}${`found in, of ${seeds}`.padStart(20)}  found by`,
    ...faults.map(
      ({ name, foundBy, firstSeed, seedsFound }) =>
        `${name.padEnd(26)}${String(firstSeed ?? "-").padStart(10)}${String(seedsFound).padStart(20)}  ${foundBy ?? "NOT FOUND"}`,
    ),
    `${stoppedEarly ? `stopped after ${faults.length} of ${planned}` : `${count(faults.length, "fault")} planted`}: ${found}`,
  ];
}

function isFound({ seedsFound }: FaultResult): boolean {
  return seedsFound > 0;
}
