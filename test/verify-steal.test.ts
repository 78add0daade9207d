import assert from "node:assert/strict";
import { test } from "node:test";
import { type Counterexample, checkUnderModel, DEFAULT_BOUNDS } from "../src/verify/check/check-under-model.js";
import { ProtocolThreads } from "../src/verify/check/protocol-threads.js";
import { readProgram, type Size } from "../src/verify/check/read-program.js";
import { sizesWithin } from "../src/verify/check/sizes.js";
import { ABOUT_TO_WRAP, diedStarts, FRESH, wholeUpdates } from "../src/verify/check/start.js";
import { patternsOf, payloadsAfter, stealOnlyText, type UpdateKind } from "../src/verify/check/updates.js";
import { loadProtocol } from "../src/verify/load-protocol.js";
import type { ModelName } from "../src/verify/models/model.js";
import { MODELS } from "../src/verify/models/models.js";
import { PROTOCOL_WORDS, type Protocol } from "../src/verify/protocol.js";
import { ALL_MODELS, full, machineResultsOf, protocolNamed, recordAllAtomics, resultsOf } from "./verify-helpers.js";

/*
 * Updates of the steal alone, among full ones: with the functions that ship, and with wrong ones.
 */

const recorder = recordAllAtomics(PROTOCOL_WORDS);
const KINDS: readonly UpdateKind[] = ["full", "steal"];

type WriteSteal = NonNullable<Protocol["writeSteal"]>;

const shipped = (): Promise<Protocol> => loadProtocol(protocolNamed("shipped").file);

async function found(model: ModelName, changed: Partial<Protocol>): Promise<Counterexample | null> {
  const threads = new ProtocolThreads(recorder, { ...(await shipped()), ...changed });
  return checkUnderModel(threads, MODELS[model], DEFAULT_BOUNDS).counterexample;
}

test("updates come in every pattern, all full first", () => {
  assert.deepEqual(patternsOf(0, KINDS), [[]]);
  assert.deepEqual(patternsOf(2, KINDS), [
    ["full", "full"],
    ["full", "steal"],
    ["steal", "full"],
    ["steal", "steal"],
  ]);
  assert.equal(new Set(patternsOf(3, KINDS).map(String)).size, 8);
  assert.deepEqual(patternsOf(3, ["full"]), [full(3)]);
});

test("an update of the steal alone leaves the words of the last full one", () => {
  assert.deepEqual(
    payloadsAfter(["steal", "full", "steal", "steal"]).map((payload) => payload.join()),
    ["1,2,3,4,5,6,7", "11,2,3,4,5,6,7", "21,22,23,24,25,26,27", "31,22,23,24,25,26,27", "41,22,23,24,25,26,27"],
  );
});

test("the updates of the steal alone are named", () => {
  assert.equal(stealOnlyText([]), "");
  assert.equal(stealOnlyText([2]), ", update 2 of the steal alone");
  assert.equal(stealOnlyText([1, 2, 3]), ", updates 1, 2 and 3 of the steal alone");
});

test("what ships is explored in every pattern, and a page that is not whole gets a full update first", async () => {
  const sizes = sizesWithin(new ProtocolThreads(recorder, await shipped()), DEFAULT_BOUNDS);
  const patterns = (isOne: (size: Size) => boolean): string[] => [
    ...new Set(sizes.filter(isOne).map(({ updates }) => updates.join())),
  ];
  const all = patternsOf(2, KINDS).map((pattern) => pattern.join());
  for (const maxRetries of [0, 1, 3]) {
    assert.deepEqual(
      patterns((size) => size.updates.length === 2 && size.maxRetries === maxRetries),
      all,
    );
  }
  assert.deepEqual(
    patterns(({ start }) => start === ABOUT_TO_WRAP),
    KINDS,
  );
  assert.deepEqual(
    patterns(({ start }) => start.begun.length > 0),
    ["full"],
  );
  // A full update has nine stores, one of the steal three.
  const died = sizes.filter(({ start }) => start.begun.length > 0);
  assert.equal(died.length, 8 + 2 + 2 * (8 + 2));
});

test("a protocol without writeSteal is explored as it was", async () => {
  const { write, read } = await shipped();
  const threads = new ProtocolThreads(recorder, { write, read });
  assert.ok(sizesWithin(threads, DEFAULT_BOUNDS).every(({ updates }) => !updates.includes("steal")));
  assert.equal(diedStarts(threads, 2).length, 16);
});

test("about to wrap, an update of the steal alone brings the version to 0, and the next to 2", async () => {
  const threads = new ProtocolThreads(recorder, await shipped());
  const versions = wholeUpdates(threads, ABOUT_TO_WRAP, ["steal", "steal"]).map(({ version }) => version);
  assert.deepEqual(versions, [-2, 0, 2]);
});

test("in each pattern a reader comes to what a machine of single steps brings it to", async () => {
  const threads = new ProtocolThreads(recorder, await shipped());
  for (const updates of patternsOf(2, KINDS)) {
    const size = { start: FRESH, updates, readers: 1, maxRetries: 0 };
    const program = readProgram(threads, size, { storing: "nothing", madeOfAttempts: false });
    const onMachine = machineResultsOf(program, false, 1);
    const whole = payloadsAfter(updates).map((payload) => `0 retries: ${payload.join()}`);
    assert.deepEqual(onMachine, [...whole, "gave up"].sort(), updates.join());
    for (const model of ALL_MODELS) assert.deepEqual(resultsOf(model, program, 1), onMachine, `${updates} ${model}`);
  }
});

/** Wrong in each its own way: what is found, and in which pattern. */
const WRONG: readonly {
  readonly name: string;
  readonly writeSteal: WriteSteal;
  readonly problem: RegExp;
  readonly stealOnly: readonly number[];
}[] = [
  {
    name: "stores the steal and leaves the version",
    writeSteal: (words, stealMs) => {
      Atomics.store(words, 1, stealMs);
    },
    problem:
      /^with the writer at rest after 2 updates, update 2 of the steal alone, the version is no higher than before$/,
    stealOnly: [],
  },
  {
    name: "stores the steal plainly and leaves the version",
    writeSteal: (words, stealMs) => {
      words[1] = stealMs;
    },
    problem: /the version is no higher than before$/,
    stealOnly: [],
  },
  {
    name: "stores the version at once, and the steal after it",
    writeSteal: (words, stealMs) => {
      Atomics.add(words, 0, 2);
      Atomics.store(words, 1, stealMs);
    },
    problem: /^the read accepted the initial values under version 2; it was written under 0$/,
    stealOnly: [1],
  },
  {
    name: "stores the steal, and the version after it",
    writeSteal: (words, stealMs) => {
      Atomics.store(words, 1, stealMs);
      Atomics.add(words, 0, 2);
    },
    problem: /^the read accepted update 1 under version 0; it was written under 2$/,
    stealOnly: [1],
  },
  {
    name: "leaves the version odd",
    writeSteal: (words, stealMs) => {
      Atomics.add(words, 0, 1);
      Atomics.store(words, 1, stealMs);
    },
    problem: /^with the writer at rest after 2 updates, update 2 of the steal alone, a read gave up$/,
    stealOnly: [],
  },
  {
    name: "changes another word, too",
    writeSteal: (words, stealMs) => {
      Atomics.add(words, 0, 1);
      Atomics.store(words, 1, stealMs);
      Atomics.store(words, 7, stealMs);
      Atomics.add(words, 0, 1);
    },
    problem: /^the read accepted a mixture: word 1 of update 1, words 2-6 of the initial values, word 7 of no update$/,
    stealOnly: [1],
  },
  {
    name: "takes its version from a page about to wrap for an end",
    writeSteal: (words, stealMs) => {
      const version = Atomics.load(words, 0);
      if (version === -2) return;
      Atomics.store(words, 0, version + 1);
      Atomics.store(words, 1, stealMs);
      Atomics.store(words, 0, version + 2);
    },
    problem:
      /^with the writer at rest after 1 update of a page whose version is about to wrap, update 1 of the steal alone, a read found other words than the last writeSteal\(\) was given/,
    stealOnly: [],
  },
];

for (const { name, writeSteal, problem, stealOnly } of WRONG) {
  test(`found under every model: a writeSteal that ${name}`, async () => {
    for (const model of ALL_MODELS) {
      const example = await found(model, { writeSteal });
      assert.match(example?.problem ?? "holds", problem, model);
      assert.deepEqual(example?.stealOnly, stealOnly, model);
    }
  });
}

test("a steal that is stored plainly is found where the model lets it pass the version, and only there", async () => {
  const writeSteal: WriteSteal = (words, stealMs) => {
    const version = Atomics.load(words, 0);
    Atomics.store(words, 0, version + 1);
    words[1] = stealMs;
    Atomics.store(words, 0, version + 2);
  };
  for (const model of ["sc", "tso"] as const) assert.equal(await found(model, { writeSteal }), null, model);
  for (const model of ["es", "arm"] as const) {
    const example = await found(model, { writeSteal });
    assert.match(
      example?.problem ?? "holds",
      /^the read accepted update 1 under version 0; it was written under 2$/,
      model,
    );
  }
});

test("a reader that is right with full updates alone is found with updates of the steal", async () => {
  // Takes the steal from word 7, with which it goes in every full update.
  const { write, writeSteal } = await shipped();
  let accepted = 0;
  const read: Protocol["read"] = (words, out, maxRetries) => {
    for (let retries = 0; retries <= maxRetries; retries++) {
      const version = Atomics.load(words, 0);
      if ((version & 1) !== 0) continue;
      for (let word = 2; word < 8; word++) out[word - 1] = Atomics.load(words, word);
      if (Atomics.load(words, 0) !== version) continue;
      accepted = version;
      out[0] = out[6] - 6;
      return retries;
    }
    return -1;
  };
  const acceptedVersion = (): number => accepted;
  const ofFull = new ProtocolThreads(recorder, { write, read, acceptedVersion });
  assert.equal(checkUnderModel(ofFull, MODELS.sc, DEFAULT_BOUNDS).holds, true);
  const ofBoth = new ProtocolThreads(recorder, { write, read, acceptedVersion, ...(writeSteal && { writeSteal }) });
  assert.equal(checkUnderModel(ofBoth, MODELS.sc, DEFAULT_BOUNDS).holds, false);
});
