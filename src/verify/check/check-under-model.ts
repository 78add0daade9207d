import { count } from "../../shared/text.js";
import { NotMadeOfAttempts } from "../explore/attempts.js";
import { type Execution, ThreadStores } from "../explore/execution.js";
import { explore } from "../explore/explorer.js";
import type { Graph } from "../explore/graph.js";
import { type Storing, type ThreadOutcome, VERSION_LOCATION } from "../explore/program.js";
import type { MemoryModel } from "../models/model.js";
import { problemAlone } from "./progress-rules.js";
import type { ProtocolThreads, ReadResult } from "./protocol-threads.js";
import { type ReaderKind, readProgram, type Size, WRITER } from "./read-program.js";
import { type Bounds, sizesWithin } from "./sizes.js";
import { FRESH, type WholeUpdate, wholeUpdates } from "./start.js";
import { changesOf, type TimelineRow, timelineOf } from "./timeline.js";
import { tornBecause } from "./torn.js";
import { stealOnlyOf } from "./updates.js";

export { type Bounds, DEFAULT_BOUNDS } from "./sizes.js";

/** An execution that breaks the protocol, the shortest of those in the smallest program that has one. */
export interface Counterexample {
  /** What is wrong with it, as a sentence without its end. */
  readonly problem: string;
  /** The page at first. */
  readonly start: string;
  readonly updates: number;
  /**
   * The numbers of the updates that change the steal alone, of those that were begun on the page before, too. Empty where the
   * threads ran one after the other: the problem names them.
   */
  readonly stealOnly: readonly number[];
  readonly maxRetries: number;
  readonly threads: readonly string[];
  /** Empty where the threads ran one after the other. */
  readonly rows: readonly TimelineRow[];
}

/** What exploring a protocol under one model came to. */
export interface ModelFindings {
  readonly holds: boolean;
  /** In all programs together. */
  readonly executions: number;
  /** Distinct results of a read, counted for each program. */
  readonly outcomes: number;
  readonly counterexample: Counterexample | null;
}

/** Looks at more graphs than this in one program: it is too large. */
const MAX_STEPS = 5_000_000;

/**
 * Explores a protocol under a memory model, in programs that grow up to the bounds, until one breaks it.
 *
 * @throws ProtocolFault when its code does what it must not; TooLarge
 */
export function checkUnderModel(threads: ProtocolThreads, model: MemoryModel, bounds: Bounds): ModelFindings {
  return new ModelCheck(threads, model, bounds).run();
}

class ModelCheck {
  readonly #threads: ProtocolThreads;
  readonly #model: MemoryModel;
  readonly #bounds: Bounds;
  #storing: Storing = "nothing";
  #madeOfAttempts = true;
  /** Not when it is known already that retries come without cause. */
  #judgesRetries = true;
  #executions = 0;
  #outcomes = 0;

  constructor(threads: ProtocolThreads, model: MemoryModel, bounds: Bounds) {
    this.#threads = threads;
    this.#model = model;
    this.#bounds = bounds;
  }

  run(): ModelFindings {
    const { updates, maxRetries } = this.#bounds;
    const problem = problemAlone(this.#threads, updates, maxRetries);
    this.#judgesRetries = problem === null;
    // A torn read says more than a retry too many. With one update it is soon found, or not at all.
    const all = sizesWithin(this.#threads, this.#bounds);
    const sizes = problem === null ? all : all.filter((size) => size.updates.length === 1);
    for (const size of sizes) {
      const found = this.#explore(size);
      if (found !== null) return this.#findings(found);
    }
    if (problem === null) return this.#findings(null);
    return this.#findings({ problem, start: FRESH.text, updates, stealOnly: [], maxRetries, threads: [], rows: [] });
  }

  #findings(counterexample: Counterexample | null): ModelFindings {
    const { holds, executions, outcomes } = {
      holds: counterexample === null,
      executions: this.#executions,
      outcomes: this.#outcomes,
    };
    return { holds, executions, outcomes, counterexample };
  }

  #explore(size: Size): Counterexample | null {
    try {
      const madeOfAttempts = this.#madeOfAttempts && size.maxRetries > 0;
      return this.#exploreAs(size, { storing: this.#storing, madeOfAttempts });
    } catch (error) {
      // What was assumed of the readers is not so: once more, without.
      if (error instanceof ThreadStores) this.#storing = error.storing;
      else if (error instanceof NotMadeOfAttempts) this.#madeOfAttempts = false;
      else throw error;
      return this.#explore(size);
    }
  }

  #exploreAs(size: Size, kind: ReaderKind): Counterexample | null {
    const program = readProgram(this.#threads, size, kind);
    const whole = wholeUpdates(this.#threads, size.start, size.updates);
    const results = new Set<string>();
    let shortest: Counterexample | null = null;
    const { executions } = explore(program, this.#model, MAX_STEPS, ({ graph, outcomes }: Execution) => {
      for (const [thread, outcome] of outcomes.entries()) {
        if (outcome === null || thread === WRITER) continue;
        const result = outcome.result as ReadResult;
        results.add(resultKey(outcome, result));
        const problem = tornProblem(result, whole) ?? this.#retryProblem(graph, thread, outcome, size);
        if (problem === null) continue;
        const rows = timelineOf(graph);
        if (shortest === null || lengthOf(rows) < lengthOf(shortest.rows)) {
          const names = program.threads.map(({ name }) => name);
          shortest = { problem, ...describe(size), threads: names, rows };
        }
      }
    });
    this.#executions += executions;
    this.#outcomes += results.size;
    return shortest;
  }

  #retryProblem(graph: Graph, thread: number, outcome: ThreadOutcome, { updates }: Size): string | null {
    if (!this.#judgesRetries) return null;
    if (updates.length === 0) return problemOfReaders(outcome);
    const retries = changeRetriesOf(graph, thread, outcome);
    return retries <= updates.length
      ? null
      : `${count(retries, "retry", "retries")} for a change, of ${count(updates.length, "update")}`;
  }
}

function describe({ start, updates, maxRetries }: Size): Omit<Counterexample, "problem" | "threads" | "rows"> {
  const stealOnly = stealOnlyOf([...start.begun, ...updates]);
  return { start: start.text, updates: updates.length, stealOnly, maxRetries };
}

/** Readers that store may be in each other's way, but not so that they have to try again. */
function problemOfReaders({ oddRetries, changeRetries, result }: ThreadOutcome): string | null {
  const { gaveUp, retries } = result as ReadResult;
  if (gaveUp) return "with no writer at work a read gave up";
  const all = oddRetries + changeRetries + retries;
  return all === 0 ? null : `with no writer at work a read needed ${count(all, "retry", "retries")}`;
}

/** What its caller can tell of a read. */
function resultKey({ oddRetries, changeRetries }: ThreadOutcome, { gaveUp, retries, out }: ReadResult): string {
  return gaveUp ? "gave up" : `${retries + oddRetries + changeRetries} ${out.join()}`;
}

function tornProblem(result: ReadResult, whole: readonly WholeUpdate[]): string | null {
  const torn = tornBecause(result, whole);
  return torn === null ? null : `the read ${torn}`;
}

/**
 * Retries for a version that changed. A reader that is not made of attempts only tells how many retries there were:
 * where it met no odd version they were all for a change.
 */
function changeRetriesOf(graph: Graph, thread: number, { oddRetries, changeRetries, result }: ThreadOutcome): number {
  const { gaveUp, retries } = result as ReadResult;
  if (gaveUp || oddRetries + changeRetries > 0) return changeRetries;
  const metOdd = graph.byThread[thread].some(
    (event) =>
      graph.isRead[event] !== 0 && graph.location[event] === VERSION_LOCATION && (graph.loaded[event] & 1) !== 0,
  );
  return metOdd ? 0 : retries;
}

/** Fewer events first, and of these the one with fewer changes between threads. */
function lengthOf(rows: readonly TimelineRow[]): number {
  return rows.length * 100 + changesOf(rows);
}
