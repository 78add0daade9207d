import assert from "node:assert/strict";
import { test } from "node:test";
import type { Execution } from "../src/verify/explore/execution.js";
import type { ModelName } from "../src/verify/models/model.js";
import { type LitmusThread, litmusProgram, outcomesUnder } from "./litmus-helpers.js";

const X = 0;
const Y = 1;

interface Litmus {
  readonly name: string;
  readonly threads: readonly LitmusThread[];
  /** The outcome in question: what the threads saw. */
  readonly outcome: string;
  readonly allowed: Readonly<Record<ModelName, boolean>>;
}

const NEVER = { sc: false, tso: false, es: false, arm: false };
const WEAK_ONLY = { sc: false, tso: false, es: true, arm: true };

/** The names are those of the litmus tests. */
const LITMUS: readonly Litmus[] = [
  {
    name: "SB (store buffering), plain",
    threads: ["x=1 y?", "y=1 x?"],
    outcome: "0,0",
    allowed: { sc: false, tso: true, es: true, arm: true },
  },
  {
    name: "SB, atomic",
    threads: ["X=1 Y?", "Y=1 X?"],
    outcome: "0,0",
    allowed: NEVER,
  },
  {
    name: "SB, atomic stores and plain loads",
    threads: ["X=1 y?", "Y=1 x?"],
    outcome: "0,0",
    allowed: WEAK_ONLY,
  },
  {
    name: "MP (message passing), plain",
    threads: ["x=1 y=1", "y? x?"],
    outcome: "1,0",
    allowed: WEAK_ONLY,
  },
  {
    name: "MP, atomic",
    threads: ["X=1 Y=1", "Y? X?"],
    outcome: "1,0",
    allowed: NEVER,
  },
  {
    name: "MP, plain data and atomic flag",
    threads: ["x=1 Y=1", "Y? x?"],
    outcome: "1,0",
    allowed: NEVER,
  },
  {
    name: "MP, atomic flag stored, plain flag loaded",
    threads: ["x=1 Y=1", "y? x?"],
    outcome: "1,0",
    allowed: WEAK_ONLY,
  },
  {
    name: "MP, plain flag stored, atomic flag loaded",
    threads: ["x=1 y=1", "Y? x?"],
    outcome: "1,0",
    allowed: WEAK_ONLY,
  },
  {
    // A lone store-release does not hold back what comes later: the writer's half of a broken seqlock.
    name: "MP, atomic store before plain store",
    threads: ["X=1 y=1", "Y? X?"],
    outcome: "1,0",
    allowed: WEAK_ONLY,
  },
  {
    // A lone load-acquire does not hold back what comes earlier: the reader's half.
    name: "MP, plain load before atomic load",
    threads: ["X=1 Y=1", "y? X?"],
    outcome: "1,0",
    allowed: WEAK_ONLY,
  },
  {
    name: "MP, exchange before plain store",
    threads: ["X<1 y=1", "Y? X?"],
    outcome: "0,1,0",
    allowed: WEAK_ONLY,
  },
  {
    name: "LB (load buffering), plain",
    threads: ["x? y=1", "y? x=1"],
    outcome: "1,1",
    allowed: WEAK_ONLY,
  },
  {
    name: "LB, atomic",
    threads: ["X? Y=1", "Y? X=1"],
    outcome: "1,1",
    allowed: NEVER,
  },
  {
    name: "LB, one thread atomic and one plain",
    threads: ["X? Y=1", "y? x=1"],
    outcome: "1,1",
    allowed: WEAK_ONLY,
  },
  {
    name: "LB, each stores what it loaded: nothing comes out of thin air",
    threads: [(w) => copy(w, X, Y), (w) => copy(w, Y, X)],
    outcome: "1,1",
    allowed: NEVER,
  },
  {
    name: "LB, each stores only if it loaded 1: nothing justifies itself",
    threads: [(w) => storeIfOne(w, X, Y), (w) => storeIfOne(w, Y, X)],
    outcome: "1,1",
    allowed: NEVER,
  },
  {
    name: "LB, one stores always, one what it loaded",
    threads: ["x? y=1", (w) => copy(w, Y, X)],
    outcome: "1,1",
    allowed: WEAK_ONLY,
  },
  {
    name: "CoRR (coherence of two loads), plain",
    threads: ["x=1", "x? x?"],
    outcome: "1,0",
    allowed: { sc: false, tso: false, es: true, arm: false },
  },
  {
    name: "CoRR, atomic",
    threads: ["X=1", "X? X?"],
    outcome: "1,0",
    allowed: NEVER,
  },
  {
    name: "CoRR, atomic loads of a plain store",
    threads: ["x=1", "X? X?"],
    outcome: "1,0",
    allowed: { sc: false, tso: false, es: true, arm: false },
  },
  {
    name: "CoRW (a load does not return its own thread's later store)",
    threads: ["x? x=1"],
    outcome: "1",
    allowed: NEVER,
  },
  {
    name: "CoWR (a load after a store does not return what was before it)",
    threads: ["x=1 x?", "x?"],
    outcome: "0,0",
    allowed: NEVER,
  },
  {
    name: "CoWW (two stores of one thread stay in order), as two later loads see them",
    threads: ["x=1 x=2 Y=1", "Y? x?"],
    outcome: "1,1",
    allowed: NEVER,
  },
  {
    name: "IRIW (independent reads of independent writes), plain",
    threads: ["x=1", "y=1", "x? y?", "y? x?"],
    outcome: "1,0,1,0",
    allowed: WEAK_ONLY,
  },
  {
    name: "IRIW, atomic",
    threads: ["X=1", "Y=1", "X? Y?", "Y? X?"],
    outcome: "1,0,1,0",
    allowed: NEVER,
  },
  {
    // ARMv8 is multi-copy atomic: a store is seen by all others at once.
    name: "IRIW, plain stores and atomic loads",
    threads: ["x=1", "y=1", "X? Y?", "Y? X?"],
    outcome: "1,0,1,0",
    allowed: { sc: false, tso: false, es: true, arm: false },
  },
  {
    name: "WRC (write to read causality), plain",
    threads: ["x=1", "x? y=1", "y? x?"],
    outcome: "1,1,0",
    allowed: WEAK_ONLY,
  },
  {
    name: "WRC, atomic",
    threads: ["X=1", "X? Y=1", "Y? X?"],
    outcome: "1,1,0",
    allowed: NEVER,
  },
  {
    name: "ISA2 (synchronisation over two flags), plain data and atomic flags",
    threads: ["x=1 Y=1", "Y? Z=1", "Z? x?"],
    outcome: "1,1,0",
    allowed: NEVER,
  },
  {
    name: "two atomic increments, both from 0",
    threads: ["X+1", "X+1"],
    outcome: "0,0",
    allowed: NEVER,
  },
  {
    name: "two compareExchange from 0 to 1, both of which succeed",
    threads: [(w, a) => [a.compareExchange(w, X, 0, 1)], (w, a) => [a.compareExchange(w, X, 0, 2)]],
    outcome: "0,0",
    allowed: NEVER,
  },
  {
    name: "SB, plain stores with an atomic read-modify-write elsewhere in between",
    threads: ["x=1 Z+0 y?", "y=1 Z+0 x?"],
    outcome: "0,0,0,0",
    // The read-modify-writes of one word synchronise one way or the other; an exclusive loop's store half holds nothing
    // back by itself, but its load half does.
    allowed: NEVER,
  },
];

function copy(words: Int32Array, from: number, to: number): number[] {
  const seen = words[from];
  words[to] = seen;
  return [seen];
}

function storeIfOne(words: Int32Array, from: number, to: number): number[] {
  const seen = words[from];
  if (seen === 1) words[to] = 1;
  return [seen];
}

for (const { name, threads, outcome, allowed } of LITMUS) {
  test(`litmus ${name}: ${outcome}`, () => {
    for (const model of ["sc", "tso", "es", "arm"] as const) {
      const outcomes = outcomesUnder(model, litmusProgram(3, threads));
      assert.equal(outcomes.includes(outcome), allowed[model], `${model}: ${outcomes.join(" ")}`);
    }
  });
}

test("each model allows what the stronger one does: sc, then tso, then arm, then es", () => {
  for (const { name, threads } of LITMUS) {
    const [weakest, ...stronger] = (["es", "arm", "tso", "sc"] as const).map((model) =>
      outcomesUnder(model, litmusProgram(3, threads)),
    );
    let wider = weakest;
    for (const outcomes of stronger) {
      assert.deepEqual(
        outcomes.filter((outcome) => !wider.includes(outcome)),
        [],
        name,
      );
      wider = outcomes;
    }
  }
});

/** What the locations hold in the end, where stores are ordered. */
function finalValues({ graph }: Execution): string {
  return graph.coherence.map((order) => graph.stored[order.at(-1) ?? 0]).join();
}

test("litmus 2+2W: both words may end with the first of each thread's stores on ARM alone", () => {
  const plain = ["x=1 y=2", "y=1 x=2"];
  const atomic = ["X=1 Y=2", "Y=1 X=2"];
  for (const model of ["sc", "tso", "arm"] as const) {
    assert.equal(outcomesUnder(model, litmusProgram(2, plain), finalValues).includes("1,1"), model === "arm", model);
    assert.equal(outcomesUnder(model, litmusProgram(2, atomic), finalValues).includes("1,1"), false, model);
  }
});

test("litmus R: a load may overtake a store to another word where stores are buffered", () => {
  const seen = (execution: Execution): string =>
    `${finalValues(execution)} ${execution.outcomes.flatMap((outcome) => outcome?.result).join()}`;
  const plain = ["x=1 y=1", "y=2 x?"];
  for (const model of ["sc", "tso", "arm"] as const) {
    const outcomes = outcomesUnder(model, litmusProgram(2, plain), seen);
    assert.equal(outcomes.includes("1,2 0"), model !== "sc", model);
  }
});

test("litmus SB: a compareExchange that fails empties x86's store buffer all the same", () => {
  const thread =
    (stored: number, loaded: number): LitmusThread =>
    (words, atomics) => {
      words[stored] = 1;
      atomics.compareExchange(words, 2, 5, 6);
      return [words[loaded]];
    };
  const program = litmusProgram(3, [thread(X, Y), thread(Y, X)]);
  assert.equal(outcomesUnder("tso", program).includes("0,0"), false);
  assert.equal(outcomesUnder("es", program).includes("0,0"), true);
});

test("litmus LB of three threads: an atomic load may be in the cycle, as long as another is read ahead", () => {
  const program = litmusProgram(3, ["X? y=1", "y? z=1", "z? X=1"]);
  for (const model of ["sc", "tso", "es", "arm"] as const) {
    const isWeak = model === "es" || model === "arm";
    assert.equal(outcomesUnder(model, program).includes("1,1,1"), isWeak, model);
  }
});
