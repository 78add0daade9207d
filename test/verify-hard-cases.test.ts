import assert from "node:assert/strict";
import { test } from "node:test";
import { checkUnderModel } from "../src/verify/check/check-under-model.js";
import { ProtocolThreads } from "../src/verify/check/protocol-threads.js";
import { loadProtocol } from "../src/verify/load-protocol.js";
import { MODELS } from "../src/verify/models/models.js";
import { PROTOCOL_WORDS, type Protocol } from "../src/verify/protocol.js";
import { protocolNamed, recordAllAtomics } from "./verify-helpers.js";

/*
 * Protocols whose faults hide from an explorer that takes short cuts: each was found to hold once, and is broken.
 */

const recorder = recordAllAtomics(PROTOCOL_WORDS);

type Read = Protocol["read"];
type Write = Protocol["write"];

const problemUnder = (
  model: keyof typeof MODELS,
  protocol: Protocol,
  bounds = { updates: 2, readers: 2, maxRetries: 1 },
): string | undefined =>
  checkUnderModel(new ProtocolThreads(recorder, protocol), MODELS[model], bounds).counterexample?.problem;

const rightWrite = async (): Promise<Write> => (await loadProtocol(protocolNamed("shipped").file)).write;
const rightRead = async (): Promise<Read> => (await loadProtocol(protocolNamed("shipped").file)).read;

function storeAll(words: Int32Array, values: Int32Array): void {
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
}

/** Takes word 7, to be kept if it is the initial one. @returns where words begin that need not be taken again */
function keepInitialWord(words: Int32Array, out: Int32Array): number {
  out[6] = Atomics.load(words, 7);
  return out[6] === 7 ? 7 : 8;
}

test("a word is carried over from an attempt that found a version which other protocols never store", () => {
  // Counts by 6; the page is being written while the version is 5 modulo 6.
  const write: Write = (words, values) => {
    const opening = Math.floor((Atomics.load(words, 0) + 5) / 6) * 6 + 5;
    Atomics.store(words, 0, opening);
    storeAll(words, values);
    Atomics.store(words, 0, opening + 1);
  };
  const read: Read = (words, out, maxRetries) => {
    let last = 8;
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if (version % 6 === 5) {
        out[6] = Atomics.load(words, 7);
        last = 7;
        continue;
      }
      for (let word = 1; word < last; word++) out[word - 1] = Atomics.load(words, word);
      if (Atomics.load(words, 0) === version) return retries;
    }
    return -1;
  };
  assert.match(problemUnder("sc", { write, read }) ?? "holds", /a mixture: words 1-6 of update \d, word 7 of/);
});

test("a word is carried over on a page whose writer died, and nowhere else", async () => {
  const read: Read = (words, out, maxRetries) => {
    let last = 8;
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if (version === 3) last = keepInitialWord(words, out);
      if ((version & 1) !== 0) continue;
      for (let word = 1; word < last; word++) out[word - 1] = Atomics.load(words, word);
      if (Atomics.load(words, 0) === version) return retries;
    }
    return -1;
  };
  const problem = problemUnder("sc", { write: await rightWrite(), read }, { updates: 1, readers: 1, maxRetries: 1 });
  assert.equal(problem, "the read accepted a mixture: words 1-6 of update 2, word 7 of the initial values");
});

test("words are carried over from one failed attempt of thousands", async () => {
  const read: Read = (words, out, maxRetries) => {
    let isKept = false;
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      if (isKept) return retries;
      for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
      if (Atomics.load(words, 0) === version) return retries;
      isKept = out.join() === "21,12,13,14,15,16,17";
    }
    return -1;
  };
  const problem = problemUnder("sc", { write: await rightWrite(), read });
  assert.equal(problem, "the read accepted a mixture: word 1 of update 2, words 2-7 of update 1");
});

test("a bug that shows on a page whose writer died in its second update", async () => {
  const write: Write = (words, values) => {
    const found = Atomics.load(words, 0);
    const opening = found === 3 ? 4 : (found + 1) | 1;
    Atomics.store(words, 0, opening);
    storeAll(words, values);
    Atomics.store(words, 0, (opening | 1) + 1);
  };
  assert.match(problemUnder("sc", { write, read: await rightRead() }) ?? "holds", /a mixture: word 1 of update 3/);
});

test("a page found odd that stays odd for ever", async () => {
  const write: Write = (words, values) => {
    const found = Atomics.load(words, 0);
    Atomics.store(words, 0, found | 1);
    storeAll(words, values);
    Atomics.store(words, 0, found + 2);
  };
  assert.match(
    problemUnder("sc", { write, read: await rightRead() }) ?? "holds",
    /^with the writer at rest after update 2, of a page whose writer died after 1 store of update 1, a read gave up$/,
  );
});

test("a read that leaves the page odd for the next", async () => {
  const read: Read = (words, out, maxRetries) => {
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      const first = Atomics.load(words, 1);
      for (let word = 0; word < 7; word++) out[word] = first + word;
      if (Atomics.compareExchange(words, 0, version, version + 1) === version) return retries;
    }
    return -1;
  };
  const problem = problemUnder("sc", { write: await rightWrite(), read });
  assert.equal(problem, "with the writer at rest after 0 updates a second read gave up");
});

test("readers that are in each other's way", async () => {
  const read: Read = (words, out, maxRetries) => {
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      if (Atomics.compareExchange(words, 0, version, version + 1) !== version) continue;
      const first = Atomics.load(words, 1);
      for (let word = 0; word < 7; word++) out[word] = first + word;
      if (Atomics.compareExchange(words, 0, version + 1, version) === version + 1) return retries;
    }
    return -1;
  };
  const bounds = { updates: 1, readers: 2, maxRetries: 0 };
  assert.match(
    problemUnder("sc", { write: await rightWrite(), read }, bounds) ?? "holds",
    /^with no writer at work|mixture/,
  );
});

test("under es a reader's read-modify-write brings a plain store back, and another reader falls for it", () => {
  const write: Write = (words, values) => {
    const found = Atomics.load(words, 0);
    if (found === 0) words[0] = 0;
    const opening = (found + 1) | 1;
    Atomics.store(words, 0, opening);
    storeAll(words, values);
    Atomics.store(words, 0, opening + 1);
  };
  const read: Read = (words, out) => {
    const version = Atomics.load(words, 0);
    if ((version & 1) !== 0) return -1;
    out[0] = Atomics.load(words, 1);
    const second = Atomics.load(words, 2);
    for (let word = 1; word < 7; word++) out[word] = second + word - 1;
    return Atomics.add(words, 0, 0) === version ? 0 : -1;
  };
  const bounds = { updates: 1, readers: 2, maxRetries: 0 };
  assert.equal(problemUnder("sc", { write, read }, bounds), undefined);
  assert.match(problemUnder("es", { write, read }, bounds) ?? "holds", /a mixture/);
});
