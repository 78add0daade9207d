import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolThreads, type ReadResult } from "../src/verify/check/protocol-threads.js";
import { readProgram } from "../src/verify/check/read-program.js";
import { FRESH, type Start } from "../src/verify/check/start.js";
import { NotMadeOfAttempts } from "../src/verify/explore/attempts.js";
import { ThreadStores } from "../src/verify/explore/execution.js";
import { explore } from "../src/verify/explore/explorer.js";
import type { Program, ProgramThread, Storing } from "../src/verify/explore/program.js";
import { ThreadTrie } from "../src/verify/explore/thread-trie.js";
import { TooLarge } from "../src/verify/explore/too-large.js";
import { loadProtocol } from "../src/verify/load-protocol.js";
import { MODELS } from "../src/verify/models/models.js";
import { PROTOCOL_WORDS, type Protocol } from "../src/verify/protocol.js";
import { PROTOCOLS } from "../src/verify/protocols.js";
import { ALL_MODELS, full, machineResultsOf, protocolNamed, recordAllAtomics, resultsOf } from "./verify-helpers.js";

/*
 * The explorer leaves much out, and loses nothing by it: held against what does without, on pages of a version and two words.
 */

const recorder = recordAllAtomics(PROTOCOL_WORDS);

type Access = "atomic" | "plain";

/** A sequence lock over a version and two words, and how it makes its accesses. */
interface SmallLock {
  readonly name: string;
  readonly version: Access;
  readonly payload: Access;
  /** The writer's opening. */
  readonly opens: "store" | "exchange";
  /** The reader's last look at the version. */
  readonly lastLook: "load" | "add";
  /** Whether the last look is at the first word instead: no lock at all, so that nearly everything can be read. */
  readonly looks: "version" | "never";
}

const LOCK = { version: "atomic", payload: "atomic", opens: "store", lastLook: "load", looks: "version" } as const;

const LOCKS: readonly SmallLock[] = [
  { ...LOCK, name: "atomic" },
  { ...LOCK, name: "plain payload", payload: "plain" },
  { ...LOCK, name: "everything plain", version: "plain", payload: "plain" },
  { ...LOCK, name: "no last look, atomic", looks: "never" },
  { ...LOCK, name: "no last look, plain payload", payload: "plain", looks: "never" },
  { ...LOCK, name: "rmw opening", payload: "plain", opens: "exchange" },
  { ...LOCK, name: "rmw last look", payload: "plain", lastLook: "add" },
  { ...LOCK, name: "rmw both", payload: "plain", opens: "exchange", lastLook: "add" },
];

const load = (words: Int32Array, index: number, access: Access): number =>
  access === "atomic" ? Atomics.load(words, index) : words[index];

function store(words: Int32Array, index: number, value: number, access: Access): void {
  if (access === "atomic") Atomics.store(words, index, value);
  else words[index] = value;
}

function write({ version, payload, opens }: SmallLock, words: Int32Array, update: number): void {
  const opening = (load(words, 0, version) + 1) | 1;
  if (opens === "exchange") Atomics.exchange(words, 0, opening);
  else store(words, 0, opening, version);
  store(words, 1, update * 10 + 1, payload);
  store(words, 2, update * 10 + 2, payload);
  store(words, 0, opening + 1, version);
}

function read({ version, payload, lastLook, looks }: SmallLock, words: Int32Array, maxRetries: number): ReadResult {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const before = load(words, 0, version);
    if ((before & 1) !== 0) continue;
    const out = [load(words, 1, payload), load(words, 2, payload)];
    if (looks === "never") return { retries, gaveUp: false, out, version: null };
    const after = lastLook === "add" ? Atomics.add(words, 0, 0) : load(words, 0, version);
    if (after === before) return { retries, gaveUp: false, out, version: null };
  }
  return { retries: -1, gaveUp: true, out: [], version: null };
}

interface SmallSize {
  readonly updates: number;
  readonly readers: number;
  readonly maxRetries: number;
}

interface ReaderAs {
  readonly storing: Storing;
  readonly madeOfAttempts: boolean;
}

function smallProgram(lock: SmallLock, { updates, readers, maxRetries }: SmallSize, as: ReaderAs): Program {
  const writing = (words: Int32Array): void => {
    for (let update = 1; update <= updates; update++) write(lock, words, update);
  };
  const { storing, madeOfAttempts } = as;
  const reading = (words: Int32Array): ReadResult => read(lock, words, madeOfAttempts ? 0 : maxRetries);
  const whole = new ThreadTrie(recorder, "read()", (words) => read(lock, words, maxRetries), 64);
  const failed = (result: unknown): boolean => (result as ReadResult).gaveUp;
  const agree = (call: unknown, last: unknown, attempt: number): boolean => {
    const [a, b] = [call as ReadResult, last as ReadResult];
    return a.gaveUp === b.gaveUp && (a.gaveUp || (a.retries === b.retries + attempt && a.out.join() === b.out.join()));
  };
  const pages = [
    [0, 1, 2],
    [2, 11, 12],
  ];
  const writer: ProgramThread = {
    name: "writer",
    trie: new ThreadTrie(recorder, "write()", writing, 64),
    storing: "anything",
    attempts: null,
  };
  const reader: ProgramThread = {
    name: "reader",
    trie: new ThreadTrie(recorder, "read()", reading, 64),
    storing,
    attempts: madeOfAttempts ? { count: maxRetries + 1, whole, failed, agree, pages } : null,
  };
  return { initial: [0, 1, 2], threads: [writer, ...new Array<ProgramThread>(readers).fill(reader)] };
}

const WHOLE = { storing: "anything", madeOfAttempts: false } as const;

/** How the checker explores the readers of a lock. */
const storingOf = ({ lastLook }: SmallLock): Storing => (lastLook === "add" ? "what it loaded" : "nothing");

for (const lock of LOCKS) {
  test(`${lock.name}: a reader for itself reads what it reads among others`, () => {
    const size = { updates: 1, readers: 1, maxRetries: 0 };
    for (const model of ALL_MODELS) {
      const alone = resultsOf(model, smallProgram(lock, size, { ...WHOLE, storing: storingOf(lock) }), 1);
      assert.ok(alone.length >= 3, "nothing, the initial words, and the update, at least");
      assert.deepEqual(alone, resultsOf(model, smallProgram(lock, size, WHOLE), 1), `${model}, together`);
      const two = smallProgram(lock, { ...size, readers: 2 }, WHOLE);
      assert.deepEqual(alone, resultsOf(model, two, 1), `${model}, the first of two`);
      assert.deepEqual(alone, resultsOf(model, two, 2), `${model}, the second of two`);
    }
  });

  test(`${lock.name}: a read of attempts that forget reads what a whole read does`, () => {
    const storing = storingOf(lock);
    for (const [updates, maxRetries] of [
      [1, 1],
      [1, 2],
      [2, 1],
    ]) {
      const size = { updates, readers: 1, maxRetries };
      for (const model of ALL_MODELS) {
        const what = `${model}, ${updates} updates, ${maxRetries} retries`;
        const whole = resultsOf(model, smallProgram(lock, size, WHOLE), 1);
        assert.ok(
          whole.some((result) => result.startsWith("1 retries")),
          what,
        );
        for (const as of [storing, "anything"] as const) {
          const program = smallProgram(lock, size, { storing: as, madeOfAttempts: true });
          assert.deepEqual(resultsOf(model, program, 1), whole, `${what}, storing ${as}`);
        }
      }
    }
  });

  test(`${lock.name}: sc and tso are what machines without and with store buffers do`, () => {
    for (const [updates, readers, maxRetries] of [
      [2, 1, 0],
      [1, 1, 1],
      [1, 2, 0],
    ]) {
      const program = smallProgram(lock, { updates, readers, maxRetries }, WHOLE);
      for (const [model, hasBuffers] of [
        ["sc", false],
        ["tso", true],
      ] as const) {
        assert.deepEqual(resultsOf(model, program, 1), machineResultsOf(program, hasBuffers, 1), model);
      }
    }
  });
}

test("the small locks differ: what their readers can accept is told apart by the models", () => {
  const torn = (name: string): string[] => {
    const lock = LOCKS.find((one) => one.name === name) ?? LOCKS[0];
    const program = smallProgram(lock, { updates: 1, readers: 1, maxRetries: 0 }, WHOLE);
    const isTorn = (result: string): boolean => /: (11,2|1,12)$/.test(result);
    return ALL_MODELS.filter((model) => resultsOf(model, program, 1).some(isTorn));
  };
  assert.deepEqual(torn("atomic"), []);
  assert.deepEqual(torn("rmw both"), []);
  for (const name of ["plain payload", "everything plain", "rmw opening", "rmw last look"]) {
    assert.deepEqual(torn(name), ["es", "arm"], name);
  }
  assert.deepEqual(torn("no last look, atomic"), ALL_MODELS);
});

test("a reader that stores more than it was said to is not explored as one that does not", () => {
  const [both] = LOCKS.filter(({ name }) => name === "rmw both");
  const program = smallProgram(both, { updates: 1, readers: 1, maxRetries: 0 }, { ...WHOLE, storing: "nothing" });
  assert.throws(
    () => resultsOf("sc", program, 1),
    (error) => error instanceof ThreadStores && error.thread === 1 && error.storing === "what it loaded",
  );
  const counting: ProgramThread = {
    ...program.threads[1],
    trie: new ThreadTrie(recorder, "read()", (words) => Atomics.add(words, 0, 2), 64),
    storing: "what it loaded",
  };
  assert.throws(
    () => resultsOf("sc", { ...program, threads: [program.threads[0], counting] }, 1),
    (error) => error instanceof ThreadStores && error.thread === 1 && error.storing === "anything",
  );
});

test("an exploration that goes further than it was allowed to ends", () => {
  const program = smallProgram(LOCKS[0], { updates: 1, readers: 1, maxRetries: 0 }, WHOLE);
  const steps = (maxSteps: number): number => explore(program, MODELS.sc, maxSteps, () => {}).steps;
  const all = steps(1_000_000);
  assert.equal(steps(all), all);
  assert.throws(
    () => steps(all - 1),
    (error) => error instanceof TooLarge && error.message.includes(`more than ${all - 1} beginnings`),
  );
});

/** Whether the explorer finds that nothing is carried from one attempt to the next. */
function isMadeOfAttempts(
  threads: ProtocolThreads,
  maxRetries: number,
  updates: number,
  start: Start = FRESH,
): boolean {
  const size = { start, updates: full(updates), readers: 1, maxRetries };
  for (const storing of ["nothing", "what it loaded"] as const) {
    try {
      explore(readProgram(threads, size, { storing, madeOfAttempts: true }), MODELS.sc, 1_000_000, () => {});
      return true;
    } catch (error) {
      if (error instanceof NotMadeOfAttempts) return false;
      if (!(error instanceof ThreadStores)) throw error;
    }
  }
  throw new Error("the reader stores something else than it loaded");
}

/** The readers of protocols whose attempts are not all alike. */
const NOT_MADE_OF_ATTEMPTS = ["stale-copy-on-retry", "cached-closing-version"];

test("a reader is made of attempts unless it takes something from one to the next", async () => {
  for (const { name, file } of PROTOCOLS) {
    const threads = new ProtocolThreads(recorder, await loadProtocol(file));
    for (const maxRetries of [1, 2, 3]) {
      for (const updates of [1, 2]) {
        const expected = !NOT_MADE_OF_ATTEMPTS.includes(name);
        assert.equal(isMadeOfAttempts(threads, maxRetries, updates), expected, `${name}, ${maxRetries} retries`);
      }
    }
  }
});

/** Reads with a flaw in its retries alone. */
const UNLIKE_ATTEMPTS: Readonly<Record<string, Protocol["read"]>> = {
  "the last attempt looks at the version no more": (words, out, maxRetries) => {
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
      if ((retries > 0 && retries === maxRetries) || Atomics.load(words, 0) === version) return retries;
    }
    return -1;
  },
  "one word of the first attempt is kept": (words, out, maxRetries) => {
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      const first = out[6];
      for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
      if (retries > 0 && first !== 0) out[6] = first;
      if (Atomics.load(words, 0) === version) return retries;
    }
    return -1;
  },
  "the retries are not counted": (words, out, maxRetries) => {
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
      if (Atomics.load(words, 0) === version) return 0;
    }
    return -1;
  },
  "a retry takes the words in another order": (words, out, maxRetries) => {
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      for (let at = 1; at < 8; at++) {
        const word = retries === 0 ? at : 8 - at;
        out[word - 1] = Atomics.load(words, word);
      }
      if (Atomics.load(words, 0) === version) return retries;
    }
    return -1;
  },
  "a retry takes plain words": (words, out, maxRetries) => {
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      for (let word = 1; word < 8; word++) out[word - 1] = retries === 0 ? Atomics.load(words, word) : words[word];
      if (Atomics.load(words, 0) === version) return retries;
    }
    return -1;
  },
  "the first retry after a change is one too many": (words, out, maxRetries) => {
    let changed = false;
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
      if (Atomics.load(words, 0) === version && !changed) return retries;
      changed = !changed;
    }
    return -1;
  },
};

for (const [what, flawed] of Object.entries(UNLIKE_ATTEMPTS)) {
  test(`not made of attempts: ${what}`, async () => {
    const shipped = await loadProtocol(protocolNamed("shipped").file);
    const threads = new ProtocolThreads(recorder, { write: shipped.write, read: flawed });
    for (const [maxRetries, updates] of [
      [1, 1],
      [2, 2],
    ]) {
      assert.equal(isMadeOfAttempts(threads, maxRetries, updates), false, `${maxRetries} retries`);
    }
  });
}
