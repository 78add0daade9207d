import assert from "node:assert/strict";
import { test } from "node:test";
import { checkUnderModel } from "../src/verify/check/check-under-model.js";
import { problemAtRest, problemWhenStopped } from "../src/verify/check/progress-rules.js";
import { ProtocolThreads, type ReadResult } from "../src/verify/check/protocol-threads.js";
import { readProgram } from "../src/verify/check/read-program.js";
import { runAlone } from "../src/verify/check/run-alone.js";
import { diedStarts, FRESH } from "../src/verify/check/start.js";
import type { Execution } from "../src/verify/explore/execution.js";
import { explore } from "../src/verify/explore/explorer.js";
import type { Graph } from "../src/verify/explore/graph.js";
import type { Program } from "../src/verify/explore/program.js";
import { loadProtocol } from "../src/verify/load-protocol.js";
import type { ModelName } from "../src/verify/models/model.js";
import { MODELS } from "../src/verify/models/models.js";
import { PROTOCOL_WORDS, type Protocol } from "../src/verify/protocol.js";
import { ALL_MODELS, full, MAX_STEPS, protocolNamed, readKey, recordAllAtomics } from "./verify-helpers.js";

const recorder = recordAllAtomics(PROTOCOL_WORDS);

async function protocolOf(name: string): Promise<Protocol> {
  return loadProtocol(protocolNamed(name).file);
}

async function threadsOf(name: string): Promise<ProtocolThreads> {
  return new ProtocolThreads(recorder, await protocolOf(name));
}

function exploreAll(program: Program, model: ModelName, visit: (execution: Execution) => void): number {
  return explore(program, MODELS[model], MAX_STEPS, visit).executions;
}

/** Which store each load of an execution reads from, by thread and place: the same whatever the model. */
function sourcesKey(graph: Graph): string {
  const name = (event: number): string =>
    graph.isInitial(event) ? "initial" : `${graph.thread[event]}.${graph.place[event]}`;
  return graph.byThread
    .map((own) => own.map((event) => (graph.isRead[event] === 0 ? "-" : name(graph.readsFrom[event]))).join())
    .join("|");
}

interface Found {
  readonly executions: number;
  readonly sources: ReadonlySet<string>;
  readonly results: ReadonlySet<string>;
}

/** All of one update and one read without retries, the two explored together. */
function executionsOf(threads: ProtocolThreads, model: ModelName): Found {
  const size = { start: FRESH, updates: full(1), readers: 1, maxRetries: 0 };
  const { initial, threads: all } = readProgram(threads, size, { storing: "anything", madeOfAttempts: false });
  const sources = new Set<string>();
  const results = new Set<string>();
  const executions = exploreAll({ initial, threads: all.slice(0, 2) }, model, ({ graph, outcomes }) => {
    sources.add(sourcesKey(graph));
    for (const outcome of outcomes.slice(1)) if (outcome !== null) results.add(readKey(outcome));
  });
  return { executions, sources, results };
}

const isWithin = (narrow: ReadonlySet<string>, wide: ReadonlySet<string>): boolean =>
  [...narrow].every((one) => wide.has(one));

/** From the strongest to the weakest. */
const BY_STRENGTH = ["sc", "tso", "arm", "es"] as const;

test("a weaker model has every execution of a stronger one", async () => {
  for (const name of ["everything-plain", "plain-payload", "plain-payload-rmw-check", "plain-payload-rmw-both"]) {
    const threads = await threadsOf(name);
    const found = BY_STRENGTH.map((model) => executionsOf(threads, model));
    for (const [weaker, stronger] of found.slice(1).map((one, index) => [one, found[index]] as const)) {
      assert.ok(stronger.executions <= weaker.executions, name);
      assert.ok(isWithin(stronger.sources, weaker.sources), name);
      assert.ok(isWithin(stronger.results, weaker.results), name);
    }
    for (const { executions, sources } of found) assert.equal(sources.size, executions, "each execution comes once");
  }
});

test("without Atomics the weak models have more executions than the strong ones, and es more than arm", async () => {
  const threads = await threadsOf("everything-plain");
  const [sc, tso, arm, es] = BY_STRENGTH.map((model) => executionsOf(threads, model));
  assert.equal(sc.executions, tso.executions, "one thread stores and the other loads: buffers show nothing");
  assert.ok(tso.executions < arm.executions);
  assert.ok(arm.executions < es.executions);
  assert.equal(es.results.size, 1 + 2 ** 7, "gave up, and each word old or new");
});

test("what ships has the same executions under every model", async () => {
  const threads = await threadsOf("shipped");
  const [sc, ...weaker] = BY_STRENGTH.map((model) => executionsOf(threads, model));
  for (const found of weaker) assert.deepEqual(found, sc);
  assert.deepEqual([...sc.results].sort(), ["0 retries: 1,2,3,4,5,6,7", "0 retries: 11,12,13,14,15,16,17", "gave up"]);
});

test("what ships retries for a change as often as there are updates, and never more", async () => {
  const threads = await threadsOf("shipped");
  for (const updates of [1, 2]) {
    const size = { start: FRESH, updates: full(updates), readers: 1, maxRetries: updates + 1 };
    const program = readProgram(threads, size, { storing: "nothing", madeOfAttempts: true });
    for (const model of ALL_MODELS) {
      let most = 0;
      let mostOdd = 0;
      exploreAll(program, model, ({ outcomes }) => {
        most = Math.max(most, outcomes[1]?.changeRetries ?? 0);
        mostOdd = Math.max(mostOdd, outcomes[1]?.oddRetries ?? 0);
      });
      assert.equal(most, updates, `${model}, for a change`);
      assert.equal(mostOdd, updates + 1, `${model}, for an odd version: all that there are`);
    }
  }
});

test("what ships needs no retry with the writer at rest, and gives up with one that stopped at work", async () => {
  const threads = await threadsOf("shipped");
  for (const maxRetries of [0, 1, 3]) {
    assert.equal(problemAtRest(threads, FRESH, full(3), maxRetries), null);
    assert.equal(problemWhenStopped(threads, 1, maxRetries), null);
  }
  const starts = diedStarts(threads, 1);
  assert.deepEqual(
    starts.map(({ memory }) => memory[0]),
    new Array(8 + 2).fill(1),
    "it stores the version and seven words before the version is even again; or the version and the steal",
  );
  for (const { memory } of starts) {
    assert.equal((runAlone(threads.reader(1), memory).result as ReadResult).gaveUp, true);
  }
});

type Read = Protocol["read"];

/** One try of a right read. @returns whether it was accepted */
function tryOnce(words: Int32Array, out: Int32Array): boolean {
  const version = Atomics.load(words, 0);
  if ((version & 1) !== 0) return false;
  for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
  return Atomics.load(words, 0) === version;
}

const ALWAYS_RETRIES_ONCE: Read = (words, out, maxRetries) => {
  for (let retries = 0; retries <= maxRetries; retries++) {
    if (tryOnce(words, out) && (retries > 0 || maxRetries === 0)) return retries;
  }
  return -1;
};

const ALWAYS_GIVES_UP: Read = (words, out) => {
  tryOnce(words, out);
  return -1;
};

const RETURNS_NOTHING_READ: Read = (words, out) => {
  if (!tryOnce(words, out)) return -1;
  for (let word = 0; word < 7; word++) out[word] = word + 1;
  return 0;
};

/** An odd version is good enough if all words look as if of the first update: so they do, when nothing was stored yet. */
const ACCEPTS_ODD: Read = (words, out) => {
  const version = Atomics.load(words, 0);
  for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
  if (Atomics.load(words, 0) !== version) return -1;
  return (version & 1) === 0 || out.every((value) => value < 10) ? 0 : -1;
};

/** Out of patience it takes what is there. */
const ACCEPTS_MIXTURE: Read = (words, out, maxRetries) => {
  for (let retries = 0; retries <= maxRetries; retries++) if (tryOnce(words, out)) return retries;
  for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
  return 0;
};

interface Flaw {
  readonly name: string;
  readonly read: Read;
  readonly maxRetries: number;
  /** What the rules say of it with the writer at rest, and of pages whose writer died. */
  readonly atRest: RegExp | null;
  readonly whenStopped: RegExp | null;
  /** What exploring finds before it comes to the rules. */
  readonly torn: RegExp | null;
}

const FLAWS: readonly Flaw[] = [
  {
    name: "always retries once",
    read: ALWAYS_RETRIES_ONCE,
    maxRetries: 1,
    atRest: /^with the writer at rest after 0 updates a read needed 1 retry$/,
    whenStopped:
      /^with the writer at rest after update 2, of a page whose writer died after 1 store of update 1, a read needed 1 retry$/,
    torn: null,
  },
  {
    name: "gives up on a quiet page",
    read: ALWAYS_GIVES_UP,
    maxRetries: 1,
    atRest: /^with the writer at rest after 0 updates a read gave up$/,
    whenStopped:
      /^with the writer at rest after update 2, of a page whose writer died after 1 store of update 1, a read gave up$/,
    torn: null,
  },
  {
    name: "returns the first words for ever",
    read: RETURNS_NOTHING_READ,
    maxRetries: 1,
    atRest: /^with the writer at rest after 1 update a read found other words than the last write\(\) was given$/,
    whenStopped: /a read found other words than the last write\(\) was given$|accepted words$/,
    torn: null,
  },
  {
    name: "accepts an odd version",
    read: ACCEPTS_ODD,
    maxRetries: 0,
    atRest: null,
    whenStopped: /^of a page whose writer died after 1 store of update 1, its version odd, a read accepted words$/,
    torn: null,
  },
  {
    name: "accepts what a dead writer left",
    read: ACCEPTS_MIXTURE,
    maxRetries: 1,
    atRest: null,
    whenStopped: /^of a page whose writer died after 1 store of update 1, its version odd, a read accepted words$/,
    torn: /^the read accepted a mixture: word 1 of update 1, words 2-7 of the initial values$/,
  },
];

for (const { name, read, maxRetries, atRest, whenStopped, torn } of FLAWS) {
  test(`the rules of progress find a read that ${name}`, async () => {
    const { write } = await protocolOf("shipped");
    const threads = new ProtocolThreads(recorder, { write, read });
    const expectProblem = (found: string | null, expected: RegExp | null): void => {
      if (expected === null) assert.equal(found, null);
      else assert.match(found ?? "nothing", expected);
    };
    expectProblem(problemAtRest(threads, FRESH, full(2), maxRetries), atRest);
    expectProblem(problemWhenStopped(threads, 1, maxRetries), whenStopped);
    for (const model of ALL_MODELS) {
      const { holds, counterexample } = checkUnderModel(threads, MODELS[model], { updates: 1, readers: 1, maxRetries });
      assert.equal(holds, false, model);
      expectProblem(counterexample?.problem ?? null, torn ?? atRest ?? whenStopped);
    }
  });
}

test("a mixture that a writer with an even opening leaves behind is found when it is accepted", async () => {
  const { read } = await protocolOf("shipped");
  const write: Protocol["write"] = (words, values) => {
    const version = Atomics.load(words, 0);
    for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
    Atomics.store(words, 0, version + 2);
  };
  const problem = problemWhenStopped(new ProtocolThreads(recorder, { write, read }), 1, 0);
  assert.match(
    problem ?? "nothing",
    /^of a page whose writer died after 1 store of update 1 a read accepted a mixture: word 1 of update 1, words 2-7 of the initial values$/,
  );
});

test("words under the version of another update are torn, where the protocol tells the version", async () => {
  const { write, read } = await protocolOf("shipped");
  const threads = new ProtocolThreads(recorder, { write, read, acceptedVersion: () => 0 });
  const { holds, counterexample } = checkUnderModel(threads, MODELS.sc, { updates: 1, readers: 1, maxRetries: 0 });
  assert.equal(holds, false);
  assert.equal(counterexample?.problem, "the read accepted update 1 under version 0; it was written under 2");
});

test("a writer that leaves an update out is found with the writer at rest", async () => {
  const { write, read } = await protocolOf("shipped");
  const writers: [name: string, write: typeof write, problem: string][] = [
    [
      "every one",
      () => {},
      "with the writer at rest after 1 update a read found other words than the last write() was given",
    ],
    [
      "the second",
      (words, values) => (values[0] === 21 ? undefined : write(words, values)),
      "with the writer at rest after 2 updates a read found other words than the last write() was given",
    ],
  ];
  for (const [name, lazyWrite, problem] of writers) {
    const threads = new ProtocolThreads(recorder, { write: lazyWrite, read });
    const { holds, counterexample } = checkUnderModel(threads, MODELS.sc, { updates: 2, readers: 1, maxRetries: 1 });
    assert.equal(holds, false, name);
    assert.equal(counterexample?.problem, problem, name);
  }
});

test("a try that is thrown away without cause is found with the writer at rest", async () => {
  const { write } = await protocolOf("shipped");
  // Throws away a try whose words are the first ones, as if the version had changed.
  const read: Read = (words, out, maxRetries) => {
    for (let retries = 0; retries <= maxRetries; retries++) if (tryOnce(words, out) && out[6] !== 7) return retries;
    return -1;
  };
  const threads = new ProtocolThreads(recorder, { write, read });
  const { counterexample } = checkUnderModel(threads, MODELS.sc, { updates: 1, readers: 1, maxRetries: 1 });
  assert.equal(counterexample?.problem, "with the writer at rest after 0 updates a read gave up");
});

test("a retry more for changes than there are updates is found where attempts are not alike", async () => {
  const { write } = await protocolOf("shipped");
  // The try after a change is thrown away: two retries for one update.
  const read: Read = (words, out, maxRetries) => {
    let wasChanged = false;
    for (let retries = 0; retries <= maxRetries; retries++) {
      const isRight = tryOnce(words, out);
      if (isRight && !wasChanged) return retries;
      wasChanged = !isRight;
    }
    return -1;
  };
  const threads = new ProtocolThreads(recorder, { write, read });
  const { counterexample } = checkUnderModel(threads, MODELS.sc, { updates: 1, readers: 1, maxRetries: 1 });
  assert.equal(counterexample?.problem, "2 retries for a change, of 1 update");
});
