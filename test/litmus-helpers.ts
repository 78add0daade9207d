import type { Execution } from "../src/verify/explore/execution.js";
import { explore } from "../src/verify/explore/explorer.js";
import type { Program } from "../src/verify/explore/program.js";
import { Recorder } from "../src/verify/explore/recorder.js";
import { ThreadTrie } from "../src/verify/explore/thread-trie.js";
import type { ModelName } from "../src/verify/models/model.js";
import { MODELS } from "../src/verify/models/models.js";

type ThreadCode = (words: Int32Array, atomics: typeof Atomics) => readonly number[];

/**
 * A thread of a litmus test, as its accesses in order: "x=1" is a store and "x?" a load, which is seen; "x<1" an exchange,
 * "x+1" an addition, of which what was loaded is seen. Small letters are plain accesses, large ones atomic. Or code,
 * which returns what it saw.
 */
export type LitmusThread = string | ThreadCode;

const LOCATIONS = "xyz";

/** One access of a thread. @returns what it loaded; null for a store */
type Step = (words: Int32Array, atomics: typeof Atomics) => number | null;

function codeOf(thread: LitmusThread): ThreadCode {
  if (typeof thread !== "string") return thread;
  const steps = thread.split(" ").map(stepOf);
  return (words, atomics) => steps.map((step) => step(words, atomics)).filter((loaded) => loaded !== null);
}

function stepOf(text: string): Step {
  const location = LOCATIONS.indexOf(text[0].toLowerCase());
  const isAtomic = text[0] !== text[0].toLowerCase();
  const value = Number(text.slice(2));
  switch (text[1]) {
    case "?":
      return (words, atomics) => (isAtomic ? atomics.load(words, location) : words[location]);
    case "<":
      return (words, atomics) => atomics.exchange(words, location, value);
    case "+":
      return (words, atomics) => atomics.add(words, location, value);
    default:
      return (words, atomics) => {
        if (isAtomic) atomics.store(words, location, value);
        else words[location] = value;
        return null;
      };
  }
}

const MAX_LOADS = 16;
const MAX_STEPS = 1_000_000;

export function litmusProgram(locations: number, threads: readonly LitmusThread[]): Program {
  const recorder = new Recorder(locations);
  const atomics = recorder.atomics as unknown as typeof Atomics;
  return {
    initial: new Array<number>(locations).fill(0),
    threads: threads.map(codeOf).map((code, index) => ({
      name: `T${index}`,
      trie: new ThreadTrie(recorder, "read()", (words) => code(words, atomics), MAX_LOADS),
      storing: "anything",
      attempts: null,
    })),
  };
}

/** What the threads can see together, each as "1,0": all that the model allows, in order. */
export function outcomesUnder(
  model: ModelName,
  program: Program,
  seen: (execution: Execution) => string = ({ outcomes }) => outcomes.flatMap((outcome) => outcome?.result).join(),
): string[] {
  const outcomes = new Set<string>();
  explore(program, MODELS[model], MAX_STEPS, (execution) => outcomes.add(seen(execution)));
  return [...outcomes].sort();
}
