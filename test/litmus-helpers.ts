import { type Execution, explore } from "../src/verify/explore/explorer.js";
import type { Program } from "../src/verify/explore/program.js";
import { Recorder } from "../src/verify/explore/recorder.js";
import { ThreadTrie } from "../src/verify/explore/thread-trie.js";
import type { ModelName } from "../src/verify/models/model.js";
import { MODELS } from "../src/verify/models/models.js";

/** A thread of a litmus test: what it does to the words, and what it returns is what it saw. */
export type LitmusThread = (words: Int32Array, atomics: typeof Atomics) => readonly number[];

const MAX_LOADS = 16;
const MAX_STEPS = 1_000_000;

export function litmusProgram(locations: number, threads: readonly LitmusThread[]): Program {
  const recorder = new Recorder(locations);
  const atomics = recorder.atomics as unknown as typeof Atomics;
  return {
    initial: new Array<number>(locations).fill(0),
    threads: threads.map((thread, index) => ({
      name: `T${index}`,
      trie: new ThreadTrie(recorder, "read()", (words) => thread(words, atomics), MAX_LOADS),
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
