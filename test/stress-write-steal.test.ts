import assert from "node:assert/strict";
import { test } from "node:test";
import { protocolOfFile } from "../src/verify/protocols.js";
import { stress } from "../src/verify/stress/stress.js";
import { protocolFile, readWith, STRESS_OPTIONS, stressUntil, WRITE } from "./stress-helpers.js";

/** Updates of the steal alone: a protocol that may write them has to get them right, and is seen to. */

const VERSIONED = `${WRITE}
  ${readWith("", "accepted = version;")}
  let accepted = 0;
  export const acceptedVersion = () => accepted;`;
const UNVERSIONED = `${WRITE}\n${readWith("")}`;

const RIGHT = `export function writeSteal(words, stealMs) {
    const opening = (Atomics.load(words, 0) + 1) | 1;
    Atomics.store(words, 0, opening);
    Atomics.store(words, 1, stealMs);
    Atomics.store(words, 0, opening + 1);
  }`;

for (const [what, source] of [
  ["with an accepted version", VERSIONED],
  ["without one", UNVERSIONED],
] as const) {
  test(`a right writeSteal is clean, ${what}`, async (t) => {
    const protocol = protocolOfFile(protocolFile(t, `${source}\n${RIGHT}`));
    const run = await stressUntil(({ overlaps, stealsMet }) => overlaps > 100 && stealsMet > 100, {
      protocol,
      pages: 2,
    });
    assert.deepEqual([run.torn, run.verdict], [0, "clean"]);
    assert.ok(run.steals !== null && 0 < run.steals && run.steals < run.updates);
  });
}

/** Each is torn whenever such an update is read at all: no two threads have to run at once for that. */
const ALWAYS_TORN = [
  ["leaves the version as it was", VERSIONED, "Atomics.store(words, 1, stealMs);"],
  ["raises it by two updates", VERSIONED, "Atomics.store(words, 1, stealMs); Atomics.add(words, 0, 4);"],
  [
    "changes another word",
    UNVERSIONED,
    `const opening = Atomics.load(words, 0) + 1;
     Atomics.store(words, 0, opening);
     Atomics.store(words, 1, stealMs);
     Atomics.add(words, 5, 1);
     Atomics.store(words, 0, opening + 1);`,
  ],
] as const;

for (const [what, source, body] of ALWAYS_TORN) {
  test(`a writeSteal that ${what} is torn`, async (t) => {
    const file = protocolFile(t, `${source}\nexport function writeSteal(words, stealMs) { ${body} }`);
    const run = await stressUntil(({ torn }) => torn > 0, { protocol: protocolOfFile(file) });
    assert.equal(run.verdict, "torn");
    assert.ok(run.torn > 0 && run.firstTearAtRead !== null);
  });
}

test("a protocol whose readers never accept an update of the steal alone proved nothing", async (t) => {
  // The first is the trial before the run.
  const lost = `let calls = 0;
    export function writeSteal(words, stealMs) { if (calls++ === 0) Atomics.store(words, 1, stealMs); }`;
  const protocol = protocolOfFile(protocolFile(t, `${UNVERSIONED}\n${lost}`));
  const run = await stress({ ...STRESS_OPTIONS, protocol, durationNs: 300_000_000 });
  assert.deepEqual([run.torn, run.stealsMet, run.verdict], [0, 0, "proved nothing"]);
  assert.ok(run.steals !== null && run.steals > 0);
});

test("a protocol without writeSteal has none, and is not asked for it", async (t) => {
  const protocol = protocolOfFile(protocolFile(t, UNVERSIONED));
  const run = await stressUntil(({ overlaps }) => overlaps > 100, { protocol });
  assert.deepEqual([run.verdict, run.steals, run.stealsMet], ["clean", null, null]);
});

const REFUSED = [
  ["is no function", "export const writeSteal = 1;", /its writeSteal is not a function; accepted/],
  ["does nothing", "export function writeSteal() {}", /does not give back the steal that writeSteal\(\) wrote/],
  ["throws", 'export function writeSteal() { throw new Error("no"); }', /writeSteal\(\) threw Error: no \(mine\.mjs:/],
  [
    "throws in the middle of the run",
    `let calls = 0;\n${RIGHT.replace("{", "{ if (calls++ > 100) throw new Error('late');")}`,
    /writeSteal\(\) threw Error: late \(mine\.mjs:/,
  ],
  ["does not return", "export function writeSteal() { for (;;); }", /writeSteal\(\) did not return within 4 s$/],
  [
    "does not return in the middle of the run",
    `let calls = 0;\n${RIGHT.replace("{", "{ while (calls > 100); calls++;")}`,
    /write\(\) or writeSteal\(\) did not return within 4 s$/,
  ],
] as const;

for (const [what, source, message] of REFUSED) {
  test(`a writeSteal that ${what}: refused or stopped, by name`, async (t) => {
    const file = protocolFile(t, `${VERSIONED}\n${source}`);
    const run = stress({ ...STRESS_OPTIONS, protocol: protocolOfFile(file) });
    await assert.rejects(run, { code: "bad-input", message });
  });
}
