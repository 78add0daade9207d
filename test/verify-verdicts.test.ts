import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Bounds, Counterexample } from "../src/verify/check/check-under-model.js";
import { payloadOf } from "../src/verify/check/payload.js";
import { ProtocolThreads, type ReadResult } from "../src/verify/check/protocol-threads.js";
import { readProgram, type Size } from "../src/verify/check/read-program.js";
import { diedStarts, FRESH, type Start } from "../src/verify/check/start.js";
import type { TimelineRow } from "../src/verify/check/timeline.js";
import { Recorder } from "../src/verify/explore/recorder.js";
import { loadProtocol } from "../src/verify/load-protocol.js";
import type { ModelName } from "../src/verify/models/model.js";
import { PROTOCOL_WORDS } from "../src/verify/protocol.js";
import { type KnownProtocol, PROTOCOLS } from "../src/verify/protocols.js";
import { type VerifyResult, verifyProtocol } from "../src/verify/run/verify-protocol.js";
import { ALL_MODELS, full, runMachine, whileRecorded } from "./verify-helpers.js";

const BOUNDS: Bounds = { updates: 2, readers: 2, maxRetries: 1 };

/** Under which models a protocol holds; under none where it is not named. */
const HOLDS_UNDER: ReadonlyMap<string, readonly ModelName[]> = new Map([
  ["shipped", ALL_MODELS],
  ["plain-payload-rmw-both", ALL_MODELS],
  ["plain-payload", ["sc", "tso"]],
  ["everything-plain", ["sc", "tso"]],
  ["plain-payload-rmw-check", ["sc", "tso"]],
]);

suite("each protocol under each model", { concurrency: 2 }, () => {
  for (const protocol of PROTOCOLS) {
    const holdsUnder = HOLDS_UNDER.get(protocol.name) ?? [];
    test(`${protocol.name} holds under ${holdsUnder.join(", ") || "none"}, and what breaks it is real`, async () => {
      const results = await verifyProtocol({ protocol, models: ALL_MODELS, bounds: BOUNDS });
      assert.deepEqual(
        results.map(({ model, holds }) => [model, holds]),
        ALL_MODELS.map((model) => [model, holdsUnder.includes(model)]),
      );
      for (const result of results) assertComplete(protocol, result);
      assertTrue(await threadsOf(protocol), results);
    });
  }
});

test("the table knows every protocol that it speaks of", () => {
  const names = PROTOCOLS.map(({ name }) => name);
  assert.deepEqual(
    [...HOLDS_UNDER.keys()].filter((name) => !names.includes(name)),
    [],
  );
  assert.equal(names.length, 19);
  assert.equal(names.at(-1), "shipped");
  for (const { name, expected } of PROTOCOLS) {
    assert.equal(expected, HOLDS_UNDER.get(name) === ALL_MODELS ? "clean" : "broken", name);
  }
});

/** What the explorer says is so on a memory of words: its counterexamples, and that there are none. */
function assertTrue(threads: ConcreteThreads, results: readonly VerifyResult[]): void {
  for (const { model, counterexample } of results) {
    if (counterexample === null) continue;
    const start = threads.startOf(counterexample);
    assertSourcesFit(counterexample, start);
    if (model === "sc") assertReal(counterexample, start);
  }
  const underSc = results[0].counterexample;
  if (underSc === null) threads.assertNothingTorn({ start: FRESH, updates: full(2), readers: 1, maxRetries: 0 });
  else threads.assertShortest(underSc);
}

function assertComplete(protocol: KnownProtocol, result: VerifyResult): void {
  assert.equal(result.protocol, protocol.name);
  assert.equal(result.counterexample === null, result.holds);
  assert.ok(result.executions > 0 && result.outcomes > 0 && result.durationNs > 0);
}

/** Every load returns what its row of origin stored to its word, or what the page held at first. */
function assertSourcesFit({ rows }: Counterexample, start: Start): void {
  for (const [at, { word, loaded, from }] of rows.entries()) {
    if (loaded === null) continue;
    const source = from === null ? null : rows[from];
    assert.equal(source?.word ?? word, word, `row ${at + 1} reads its own word`);
    assert.equal(loaded, source === null ? start.memory[word] : source.stored, `row ${at + 1}`);
  }
}

/** Under sc the rows are a run: one after the other on a memory, they find there what they say, and end with a mixture. */
function assertReal({ rows, problem, threads }: Counterexample, start: Start): void {
  const memory = [...start.memory];
  const storedLast = new Array<number | null>(PROTOCOL_WORDS).fill(null);
  for (const [at, { word, loaded, stored, from, overtaken }] of rows.entries()) {
    assert.equal(overtaken, null, `row ${at + 1} is in its turn`);
    if (loaded !== null) {
      assert.equal(loaded, memory[word], `what row ${at + 1} finds in word ${word}`);
      assert.equal(from, storedLast[word], `who stored what row ${at + 1} finds`);
    }
    if (stored === null) continue;
    memory[word] = stored;
    storedLast[word] = at;
  }
  assert.equal(threads.length, 2);
  assert.match(problem, /^the read accepted a mixture: word/);
  const words = wordsRead(rows);
  for (let update = 0; update <= start.begun.length + 1 + BOUNDS.updates; update++) {
    assert.notDeepEqual(words, [...payloadOf(update)], `the words ${words.join()} are a mixture`);
  }
}

/** What the reader holds at the end: of each payload word, what it loaded last. */
function wordsRead(rows: readonly TimelineRow[]): (number | null | undefined)[] {
  const own = rows.filter(({ thread }) => thread === 1);
  return Array.from(payloadOf(0), (_, index) => own.findLast(({ word }) => word === index + 1)?.loaded);
}

class ConcreteThreads {
  readonly #threads: ProtocolThreads;
  readonly #recorder: Recorder;

  constructor(threads: ProtocolThreads, recorder: Recorder) {
    this.#threads = threads;
    this.#recorder = recorder;
  }

  startOf({ start }: Counterexample): Start {
    const starts = whileRecorded(this.#recorder, () => [FRESH, ...diedStarts(this.#threads, 2)]);
    const found = starts.find(({ text }) => text === start);
    assert.ok(found !== undefined, `${start} is one of the protocol's pages`);
    return found;
  }

  /** On a machine that takes one step at a time, nothing shorter is torn, nor anything in a smaller program. */
  assertShortest(example: Counterexample): void {
    const start = this.startOf(example);
    const own = { start, updates: full(example.updates), readers: 1, maxRetries: example.maxRetries };
    assert.equal(this.#stepsToTorn(own), example.rows.length);
    const fresh = { start: FRESH, updates: full(1), readers: 1 };
    const isFresh = example.start === FRESH.text && example.updates === 1;
    if (!isFresh || example.maxRetries > 0) this.assertNothingTorn({ ...fresh, maxRetries: 0 });
    if (!isFresh) this.assertNothingTorn({ ...fresh, maxRetries: 1 });
    if (example.updates === 1) return;
    const died = whileRecorded(this.#recorder, () => diedStarts(this.#threads, 2));
    for (const start of died) this.assertNothingTorn({ ...fresh, start, maxRetries: 1 });
  }

  assertNothingTorn(size: Size): void {
    assert.equal(
      this.#stepsToTorn(size),
      null,
      `${size.updates.length} updates and ${size.maxRetries} retries tear nothing`,
    );
  }

  /** After how many steps a reader can first have accepted a mixture; null for never. */
  #stepsToTorn(size: Size): number | null {
    let found: number | null = null;
    whileRecorded(this.#recorder, () => {
      const program = readProgram(this.#threads, size, { storing: "anything", madeOfAttempts: false });
      const alone = { ...program, threads: program.threads.slice(0, 2) };
      runMachine(alone, false, ({ nodes }, steps) => {
        const reader = nodes[1];
        if (reader.kind !== "end" || !isTorn(reader.result as ReadResult)) return false;
        found = steps;
        return true;
      });
    });
    return found;
  }
}

function isTorn({ gaveUp, out }: ReadResult): boolean {
  if (gaveUp) return false;
  const update = (out[0] - payloadOf(0)[0]) / (payloadOf(1)[0] - payloadOf(0)[0]);
  return payloadOf(update).some((value, index) => value !== out[index]);
}

async function threadsOf({ file }: KnownProtocol): Promise<ConcreteThreads> {
  const recorder = new Recorder(PROTOCOL_WORDS);
  return new ConcreteThreads(new ProtocolThreads(recorder, await loadProtocol(file)), recorder);
}
