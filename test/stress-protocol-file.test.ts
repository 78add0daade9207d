import assert from "node:assert/strict";
import { relative } from "node:path";
import { test } from "node:test";
import { protocolOfFile } from "../src/verify/protocols.js";
import { stress } from "../src/verify/stress/stress.js";
import { protocolFile, readWith, STRESS_OPTIONS, stressUntil, WRITE } from "./stress-helpers.js";

test("a user's own protocol is hammered like ours, by whichever path", async (t) => {
  const file = protocolFile(t, `${WRITE}\n${readWith("")}`);
  for (const path of [file, relative(process.cwd(), file)]) {
    const run = await stressUntil(({ overlaps }) => overlaps > 100, { protocol: protocolOfFile(path) });
    assert.deepEqual([run.protocol, run.torn, run.verdict], [path, 0, "clean"]);
  }
});

test("a user's own protocol that is broken is torn", async (t) => {
  const source = `${WRITE}
    export function read(words, out) {
      for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
      return 0;
    }`;
  const protocol = protocolOfFile(protocolFile(t, source));
  const run = await stressUntil(({ torn }) => torn > 0, { protocol });
  assert.deepEqual([run.expected, run.verdict], ["clean", "torn"]);
});

/** After so many reads, well into the run. */
const LATER = "if (reads > 2000)";

const REFUSED: readonly (readonly [what: string, source: string, message: RegExp])[] = [
  ["syntax error", "export function write(", /cannot be loaded: SyntaxError/],
  ["throws at import", 'throw new Error("no such day");', /cannot be loaded: Error: no such day/],
  ["never done with loading", "await new Promise(() => {});", /ended with code \d+ while the module was loaded/],
  ["no read", WRITE, /mine\.mjs: exports no read; accepted: .*read\(words, out, maxRetries\)/],
  ["neither", "export const write = 3;", /its write is not a function, and exports no read; accepted/],
  [
    "acceptedVersion is no function",
    `${WRITE}\n${readWith("")}\nexport const acceptedVersion = 2;`,
    /its acceptedVersion is/,
  ],
  [
    "acceptedVersion tells nothing",
    `${WRITE}\n${readWith("")}\nexport const acceptedVersion = () => undefined;`,
    /acceptedVersion\(\) returned undefined for words read under version 2$/,
  ],
  [
    "versions that do not tell the update",
    `export function write(words, values) {
       for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
       Atomics.add(words, 0, 4);
     }
     ${readWith("")}
     export const acceptedVersion = () => 4;`,
    /write\(\) number 1 leaves version 4; accepted/,
  ],
  ["does nothing", "export const write = () => {}, read = () => 0;", /does not give back what write\(\) wrote/],
  [
    "read throws",
    `${WRITE}\n${readWith(`${LATER} throw new RangeError("far");`)}`,
    /read\(\) threw RangeError: far \(mine\.mjs:10\)$/,
  ],
  ["throws no Error", `${WRITE}\n${readWith(`${LATER} throw null;`)}`, /read\(\) threw null$/],
  [
    "write throws",
    `export function write() { throw new TypeError("no"); }\n${readWith("")}`,
    /write\(\) threw TypeError: no \(mine\.mjs:1\)$/,
  ],
  [
    "half a retry",
    `${WRITE}\n${readWith(`${LATER} return 0.5;`)}`,
    /read\(\) returned 0\.5; accepted: .* -1 for gave up$/,
  ],
  [
    "more retries than asked for",
    `${WRITE}\n${readWith("return maxRetries + 1;")}`,
    /read\(\) returned 10001; accepted/,
  ],
  ["no number", `${WRITE}\n${readWith(`${LATER} return;`)}`, /read\(\) returned undefined; accepted/],
  [
    "ends its thread",
    `${WRITE}\n${readWith(`${LATER} process.exit(3);`)}`,
    /reader 0 died: its thread ended with code 3/,
  ],
  [
    "eats memory",
    `${WRITE}\nconst kept = [];\n${readWith(`${LATER} for (;;) kept.push(new Array(1000).fill(0.5));`)}`,
    /memory/,
  ],
  ["read loops", `${WRITE}\n${readWith(`${LATER} for (;;);`)}`, /mine\.mjs: read\(\) did not return within 4 s$/],
  ["write loops", `export function write() { for (;;); }\n${readWith("")}`, /write\(\) did not return within 4 s$/],
  ["import loops", "for (;;);", /its module did not load within 10 s$/],
];

for (const [what, source, message] of REFUSED) {
  test(`a protocol file: ${what}: refused or stopped, by name`, async (t) => {
    const file = protocolFile(t, source);
    await assert.rejects(stress({ ...STRESS_OPTIONS, protocol: protocolOfFile(file) }), (error: Error) => {
      assert.ok(error.message.startsWith(file), error.message);
      assert.match(error.message, message);
      assert.equal("code" in error && error.code, "bad-input");
      return true;
    });
  });
}
