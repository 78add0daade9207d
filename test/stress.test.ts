import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { loadProtocolModule } from "../src/backend/protocol-module.js";
import { GUEST_STOPPED_MASK } from "../src/shared/pvclock-page.js";
import { PAYLOAD_WORDS } from "../src/verify/protocol.js";
import { PROTOCOLS, protocolOfFile, SHIPPED, SHIPPED_WASM } from "../src/verify/protocols.js";
import { stress } from "../src/verify/stress/stress.js";
import { createStressMemory, ownPageOf, pagesOf } from "../src/verify/stress/stress-memory.js";
import type { StressRun } from "../src/verify/stress/stress-run.js";
import {
  fillUpdate,
  isOneUpdate,
  layFirstUpdate,
  leaveHalfWritten,
  MOST_STEALS,
  nextUpdate,
  stealOf,
  stealsAfter,
  stealsIn,
  updateOf,
  versionOf,
} from "../src/verify/stress/update-words.js";
import { verdictOf } from "../src/verify/stress/verdict.js";
import { protocolFile, readWith, STRESS_OPTIONS, stressUntil, WRITE } from "./stress-helpers.js";

const anyUpdate = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

const anySteals = fc.integer({ min: 0, max: MOST_STEALS });

/** The payload as a full update leaves it, or one of the steal alone after it. */
function payloadOf(update: number, steals = 0): Int32Array {
  const values = new Int32Array(PAYLOAD_WORDS);
  fillUpdate(values, update);
  if (steals > 0) values[0] = stealOf(update, steals);
  return values;
}

test("the first words give an update's number back, and all words are its own", () => {
  fc.assert(
    fc.property(anyUpdate, anySteals, (update, steals) => {
      const values = payloadOf(update, steals);
      assert.equal(updateOf(values), (update + steals) | 0);
      assert.equal(stealsIn(values), steals);
      assert.ok(isOneUpdate(values));
      assert.equal(values[PAYLOAD_WORDS - 1] & GUEST_STOPPED_MASK, 0);
    }),
  );
});

test("words of two full updates are never taken for one, whichever words they are, and whatever steals came after", () => {
  const ofTwo = fc.record({ steals: anySteals, laterSteals: anySteals, mask: fc.integer({ min: 1, max: 126 }) });
  fc.assert(
    fc.property(anyUpdate, fc.integer({ min: 1, max: 1000 }), ofTwo, (update, later, { steals, laterSteals, mask }) => {
      const [before, after] = [payloadOf(update, steals), payloadOf((update + later) | 0, laterSteals)];
      const mixed = before.map((word, index) => ((mask >> index) & 1 ? after[index] : word));
      assert.equal(isOneUpdate(mixed), false);
    }),
  );
});

test("a steal that no update of the page wrote is not taken for one's", () => {
  fc.assert(
    fc.property(anyUpdate, anySteals, fc.integer(), (update, steals, other) => {
      const values = payloadOf(update, steals);
      const isItsOwn = Array.from({ length: MOST_STEALS + 1 }, (_, own) => stealOf(update, own)).includes(other);
      values[0] = other;
      assert.equal(isOneUpdate(values), isItsOwn);
    }),
  );
});

test("runs of updates of the steal alone are of every length up to the longest", () => {
  const lengths = new Set(Array.from({ length: 1_000 }, (_, full) => stealsAfter(full)));
  assert.deepEqual([...lengths].sort(), [0, 1, 2, 3]);
});

test("a page left half written is odd, and no words of it are an update's", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (update) => {
      const words = new Int32Array(new SharedArrayBuffer(32));
      words.set(payloadOf(update), 1);
      leaveHalfWritten(words, update);
      assert.equal(words[0] & 1, 1);
      assert.equal(isOneUpdate(words.subarray(1)), false);
      assert.equal(words[7] & GUEST_STOPPED_MASK, 0);
    }),
  );
});

test("an update is numbered by the version it closes with, also one that repairs a page, and across the wrap", () => {
  for (const found of [0, 2, 3, 7, -2, -1, 2 ** 31 - 2, 2 ** 31 - 1]) {
    const closing = (((found + 1) | 1) + 1) | 0;
    assert.equal(versionOf(nextUpdate(found)), closing, `found ${found}`);
  }
  const words = new Int32Array(8);
  layFirstUpdate(words);
  assert.equal(versionOf(updateOf(words.subarray(1))), words[0]);
});

for (const [backend, module] of [
  ["Atomics", null],
  ["WebAssembly", loadProtocolModule()],
] as const) {
  test(`${backend}: pages lie in pages of their own, and begin with update 0; each thread has one more to itself`, () => {
    const memory = createStressMemory(3, 2, module);
    const pages = [...pagesOf(memory), ownPageOf(memory, 0), ownPageOf(memory, 1)];
    assert.equal(pagesOf(memory).length, 3);
    assert.deepEqual(
      pages.map(({ byteOffset, length }) => [byteOffset, length]),
      [0, 4096, 8192, 12288, 16384].map((byteOffset) => [byteOffset, 8]),
    );
    for (const words of pages)
      assert.deepEqual([words[0], isOneUpdate(words.subarray(1)), updateOf(words.subarray(1))], [0, true, 0]);
  });
}

for (const protocol of [SHIPPED_WASM, SHIPPED]) {
  test(`${protocol.name}: no torn value while readers meet the writer at work, at updates of either kind`, async () => {
    const run = await stressUntil(
      ({ reads, overlaps, stealsMet }) => reads > 50_000 && overlaps > 1_000 && stealsMet > 100,
      { protocol },
    );
    assert.deepEqual([run.protocol, run.torn, run.firstTearAtRead, run.verdict], [protocol.name, 0, null, "clean"]);
    assert.ok(run.updates > 0 && run.reads > 50_000 && run.oddSeen + run.changedSeen > 0);
    assert.ok(run.steals !== null && 0 < run.steals && run.steals < run.updates);
    assert.ok(run.stealsMet !== null && 100 < run.stealsMet && run.stealsMet <= run.reads);
    assert.ok(run.retriesPerRead.p50 <= run.retriesPerRead.p99 && run.retriesPerRead.p99 <= run.retriesPerRead.max);
    assert.ok(run.retries >= run.retriesPerRead.max && run.retriesPerRead.max <= 10_000);
    for (const { p50, p99, max } of [run.updateNs, run.readNs]) assert.ok(0 < p50 && p50 <= p99 && p99 <= max);
    assert.deepEqual(
      process.getActiveResourcesInfo().filter((kind) => kind === "MessagePort"),
      [],
      "no thread is left",
    );
  });

  test(`${protocol.name}: several readers on several pages`, async () => {
    const run = await stressUntil(
      ({ reads, overlaps, stealsMet }) => reads > 50_000 && overlaps > 100 && stealsMet > 10,
      {
        protocol,
        readers: 3,
        pages: 5,
      },
    );
    assert.deepEqual([run.readers, run.pages, run.torn, run.verdict], [3, 5, 0, "clean"]);
  });

  test(`${protocol.name}: a run in which nobody met the writer proved nothing`, async () => {
    const run = await stress({ ...STRESS_OPTIONS, protocol, durationNs: 300_000_000, readersApart: true });
    assert.equal(run.verdict, "proved nothing");
    assert.ok(run.updates > 0 && run.reads > 0);
    assert.deepEqual([run.oddSeen, run.changedSeen, run.retries, run.gaveUp, run.stealsMet], [0, 0, 0, 0, 0]);
  });
}

/** Some tears take two threads that really run at once. On one core, or as good as one, they never do. */
function ranAtOnce({ durationNs }: StressRun, startCpu: NodeJS.CpuUsage): boolean {
  const { user, system } = process.cpuUsage(startCpu);
  return (user + system) * 1_000 > 1.2 * durationNs;
}

/** What is missing in these is an order that x86 keeps: there no run can show it. */
const ORDER_ONLY = ["plain-payload", "everything-plain", "plain-payload-rmw-check"];

for (const protocol of PROTOCOLS.filter(({ name, expected }) => expected === "broken" && !ORDER_ONLY.includes(name))) {
  test(`${protocol.name} is torn`, async (t) => {
    const startCpu = process.cpuUsage();
    const run = await stressUntil(({ torn }) => torn > 0, { protocol });
    if (run.torn === 0 && !ranAtOnce(run, startCpu)) return t.skip("no two threads ran at once on this machine");
    assert.equal(run.verdict, "torn");
    assert.ok(run.torn > 0 && run.firstTearAtRead !== null && run.firstTearAtRead <= run.reads);
  });
}

test("a protocol whose fault is in the order alone is torn here or survives, and is not called clean", async () => {
  for (const protocol of PROTOCOLS.filter(({ name }) => ORDER_ONLY.includes(name))) {
    const run = await stressUntil(({ overlaps }) => overlaps > 1_000, { protocol });
    assert.ok(["torn", "survived"].includes(run.verdict), `${protocol.name}: ${run.verdict}`);
  }
});

test("a run that is ended before it proved anything says so, and one before anything ran has no result", async () => {
  const run = await stressUntil(({ reads }) => reads > 0, { readersApart: true });
  assert.deepEqual([run.verdict, run.stoppedEarly], ["stopped", true]);
  const signal = AbortSignal.abort();
  await assert.rejects(stress({ ...STRESS_OPTIONS, signal }), { code: "stopped" });
});

test("an accepted version is held against the words: those of another version are torn", async (t) => {
  const source = `${WRITE}
    ${readWith("", "accepted = Atomics.load(words, 0);")}
    let accepted = 0;
    export const acceptedVersion = () => accepted;`;
  const run = await stressUntil(({ torn }) => torn > 0, { protocol: protocolOfFile(protocolFile(t, source)) });
  assert.equal(run.verdict, "torn");
});

test("a writer that leaves a page odd which it found odd does not repair it", async (t) => {
  const source = `export function write(words, values) {
      Atomics.add(words, 0, 1);
      for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
      Atomics.add(words, 0, 1);
    }
    ${readWith("")}`;
  const protocol = protocolOfFile(protocolFile(t, source));
  const run = await stressUntil(({ overlaps }) => overlaps > 100, { protocol });
  assert.equal(run.verdict, "not repaired");
});

test("verdicts: a tear outweighs all else, and nothing is clean that was not tried", () => {
  const clean = { expected: "clean", torn: 0, provedSomething: true, repairs: true, stoppedEarly: false } as const;
  assert.equal(verdictOf(clean), "clean");
  assert.equal(verdictOf({ ...clean, stoppedEarly: true }), "clean");
  assert.equal(verdictOf({ ...clean, torn: 1, provedSomething: false, repairs: false }), "torn");
  assert.equal(verdictOf({ ...clean, provedSomething: false }), "proved nothing");
  assert.equal(verdictOf({ ...clean, provedSomething: false, expected: "broken" }), "proved nothing");
  assert.equal(verdictOf({ ...clean, provedSomething: false, stoppedEarly: true }), "stopped");
  assert.equal(verdictOf({ ...clean, repairs: false }), "not repaired");
  assert.equal(verdictOf({ ...clean, expected: "broken" }), "survived");
});
