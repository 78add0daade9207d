import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { StealclockError } from "../src/shared/errors.js";
import { protocolOfFile } from "../src/verify/protocols.js";
import { verifyProtocol } from "../src/verify/run/verify-protocol.js";

const folder = mkdtempSync(join(tmpdir(), "stealclock-verify-"));
after(() => rmSync(folder, { recursive: true }));

/** What a right file exports; a bad one has something else in the place of a part. */
const WRITE = `export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
}
`;
const READ = `export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, 0);
    if ((version & 1) !== 0) continue;
    for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
    if (Atomics.load(words, 0) === version) return retries;
  }
  return -1;
}
`;

const reading = (body: string): string => `${WRITE}export function read(words, out, maxRetries) { ${body} }\n`;
const writingSteal = (body: string): string =>
  `${WRITE}${READ}export function writeSteal(words, stealMs) { ${body} }\n`;
const writing = (body: string): string => `${READ}export function write(words, values) { ${body} }\n`;

interface BadFile {
  readonly name: string;
  readonly text: string;
  /** What has to be in the message. */
  readonly says: readonly string[];
  /** For a call that never comes back. */
  readonly hungMs?: number;
}

const HUNG_MS = 1_500;

const BAD_FILES: readonly BadFile[] = [
  {
    name: "throws at import",
    text: 'throw new TypeError("not today");',
    says: ["cannot be loaded", "TypeError: not today"],
  },
  { name: "throws at import what is no error", text: 'throw "not today";', says: ["cannot be loaded", "not today"] },
  { name: "is no JavaScript", text: "export function write(", says: ["cannot be loaded", "SyntaxError"] },
  { name: "imports what is not there", text: 'import "./nowhere.mjs";', says: ["cannot be loaded", "nowhere.mjs"] },
  {
    name: "loops for ever at import",
    text: "for (;;);",
    says: ["its import did not return within 1.5 s"],
    hungMs: HUNG_MS,
  },
  {
    name: "loops for ever in read",
    text: reading("for (;;);"),
    says: ["read() did not return within 1.5 s"],
    hungMs: HUNG_MS,
  },
  {
    name: "loops for ever in write",
    text: writing("for (;;);"),
    says: ["write() did not return within 1.5 s"],
    hungMs: HUNG_MS,
  },
  {
    name: "retries without end",
    text: reading("for (;;) { const version = Atomics.load(words, 0); if ((version & 1) === 0) return 0; }"),
    says: ["read() made more than", "loads in one call", "maxRetries"],
  },
  {
    name: "stores without end",
    text: writing("for (;;) Atomics.store(words, 0, 1);"),
    says: ["write() made more than", "accesses in one call"],
  },
  {
    name: "counts its reads",
    text: `let reads = 0;\n${reading("out[0] = reads++; return 0;")}`,
    says: ["read() keeps state between calls"],
  },
  {
    name: "keeps the version in the writer",
    text: `let version = 0;\n${writing("Atomics.store(words, 0, ++version); words[1] = values[0]; Atomics.store(words, 0, ++version);")}`,
    says: ["write() keeps state between calls"],
  },
  {
    name: "keeps the last words in the reader",
    text: `let last = 0;\n${reading("const found = Atomics.load(words, 1); out.fill(last); last = found; return 0;")}`,
    says: ["read() keeps state between calls"],
  },
  {
    name: "keeps what it accepted for when it gives up",
    text: `${WRITE}
let last = null;
export function read(words, out, maxRetries) {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, 0);
    if ((version & 1) !== 0) continue;
    for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
    if (Atomics.load(words, 0) !== version) continue;
    last = Int32Array.from(out);
    return retries;
  }
  if (last === null) return -1;
  out.set(last);
  return maxRetries;
}`,
    says: ["read() keeps state between calls, or draws lots"],
  },
  {
    name: "draws lots",
    text: reading("out[0] = Math.floor(Math.random() * 2 ** 30); return 0;"),
    says: ["read() keeps state between calls, or draws lots"],
  },
  {
    name: "uses subarray",
    text: reading("out.set(words.subarray(1)); return 0;"),
    says: ["read() used .subarray on `words`"],
  },
  {
    name: "uses buffer",
    text: reading("return new Int32Array(words.buffer)[0];"),
    says: ["read() used .buffer on `words`"],
  },
  {
    name: "goes through the words",
    text: reading("for (const word of words) out[0] = word; return 0;"),
    says: ["read() used", "on `words`"],
  },
  {
    name: "lists the words",
    text: reading("return Object.keys(words).length;"),
    says: ["read() used a list of its keys on `words`"],
  },
  {
    name: "waits",
    text: reading("Atomics.wait(words, 0, 1); return 0;"),
    says: ["read() used Atomics.wait, which is not modelled"],
  },
  {
    name: "notifies",
    text: writing("Atomics.notify(words, 0);"),
    says: ["write() used Atomics.notify, which is not modelled"],
  },
  {
    name: "loads word 8",
    text: reading("return Atomics.load(words, 8);"),
    says: ["read() reached for word 8; accepted: 0 to 7"],
  },
  {
    name: "loads word 8 by index",
    text: reading("return words[8];"),
    says: ["read() reached for word 8; accepted: 0 to 7"],
  },
  {
    name: "stores to word -1",
    text: writing("words[-1] = 1;"),
    says: ["write() reached for word -1; accepted: 0 to 7"],
  },
  {
    name: "uses another array",
    text: reading("return Atomics.load(out, 0);"),
    says: ["read() used Atomics.load on something that is not `words`"],
  },
  {
    name: "exports no read",
    text: WRITE,
    says: ["exports no read;", "write(words, values)", "read(words, out, maxRetries)"],
  },
  { name: "exports nothing", text: "", says: ["exports no write, and exports no read;"] },
  {
    name: "exports a write that is none",
    text: `${READ}export const write = 5;`,
    says: ["its write is not a function"],
  },
  {
    name: "exports a version that is none",
    text: `${WRITE}${READ}export const acceptedVersion = 5;`,
    says: ["its acceptedVersion is not a function"],
  },
  {
    name: "exports a writeSteal that is none",
    text: `${WRITE}${READ}export const writeSteal = 5;`,
    says: ["its writeSteal is not a function", "writeSteal(words, stealMs)"],
  },
  {
    name: "throws in writeSteal",
    text: writingSteal('throw new RangeError("too far");'),
    says: ["writeSteal() threw RangeError: too far"],
  },
  {
    name: "writes the steal asynchronously",
    text: `${WRITE}${READ}export async function writeSteal(words) { Atomics.load(words, 0); }`,
    says: ["writeSteal() returned a promise"],
  },
  {
    name: "keeps the version in writeSteal",
    text: `let version = 0;\n${writingSteal("version += 2; Atomics.store(words, 0, version); Atomics.store(words, 1, stealMs);")}`,
    says: ["writeSteal() keeps state between calls"],
  },
  {
    name: "keeps state in writeSteal that write uses",
    text: `let calls = 0;
${READ}export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1] + calls);
  Atomics.store(words, 0, opening + 1);
}
export function writeSteal(words, stealMs) {
  calls++;
  const version = Atomics.load(words, 0);
  Atomics.store(words, 0, version + 1);
  Atomics.store(words, 1, stealMs);
  Atomics.store(words, 0, version + 2);
}`,
    says: ["write() keeps state between calls"],
  },
  {
    name: "loops for ever in writeSteal",
    text: writingSteal("for (;;);"),
    says: ["writeSteal() did not return within 1.5 s"],
    hungMs: HUNG_MS,
  },
  {
    name: "stores the steal to word 8",
    text: writingSteal("Atomics.store(words, 8, stealMs);"),
    says: ["writeSteal() reached for word 8; accepted: 0 to 7"],
  },
  {
    name: "exports a default",
    text: "export default { write() {}, read() {} };",
    says: ["exports no write, and exports no read;"],
  },
  {
    name: "reads asynchronously",
    text: `${WRITE}export async function read() { return 0; }`,
    says: ["read() returned a promise"],
  },
  { name: "returns 5", text: reading("return 5;"), says: ["read() returned 5;", "accepted: the number of retries"] },
  { name: "returns nothing", text: reading(""), says: ["read() returned undefined;"] },
  { name: "returns more than it counts", text: reading("return 0.5;"), says: ["read() returned 0.5;"] },
  {
    name: "throws in read",
    text: reading('throw new RangeError("too far");'),
    says: ["read() threw RangeError: too far"],
  },
  { name: "throws in write", text: writing("values.nothing();"), says: ["write() threw TypeError"] },
  {
    name: "catches the explorer's exception",
    text: reading("try { return Atomics.load(words, 0) & 1; } catch { return 0; }"),
    says: ["read() catches exceptions that are not its own"],
  },
  {
    name: "catches it, and goes on",
    text: reading("try { Atomics.load(words, 0); } catch { Atomics.load(words, 1); } return 0;"),
    says: ["read() catches exceptions that are not its own"],
  },
  { name: "leaves", text: reading("process.exit(7);"), says: ["ended its thread with code 7"] },
  {
    name: "awaits at import what never comes",
    text: "setInterval(() => {}, 1000); await new Promise(() => {});",
    says: ["its import did not return within 1.5 s"],
    hungMs: HUNG_MS,
  },
  { name: "leaves at import", text: "process.exit(0);", says: ["ended its thread with code 0"] },
];

suite("files that are no protocol", { concurrency: 2 }, () => {
  for (const [index, { name, text, says, hungMs }] of BAD_FILES.entries()) {
    test(name, async () => {
      const file = join(folder, `bad-${index}.mjs`);
      writeFileSync(file, text);
      const bounds = { updates: 1, readers: 1, maxRetries: 1 };
      const verifying = verifyProtocol({
        protocol: protocolOfFile(file),
        models: ["sc"],
        bounds,
        ...(hungMs === undefined ? {} : { hungMs }),
      });
      const error: unknown = await verifying.then(
        () => null,
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof StealclockError, String(error));
      assert.equal(error.code, "bad-input");
      assert.ok(error.message.startsWith(`${file}: `), error.message);
      for (const part of says) assert.ok(error.message.includes(part), `${part} is not in: ${error.message}`);
    });
  }
});

test("the parts that all those files are made of are a protocol that holds", async () => {
  const file = join(folder, "right.mjs");
  writeFileSync(file, WRITE + READ);
  const results = await verifyProtocol({
    protocol: protocolOfFile(file),
    models: ["sc"],
    bounds: { updates: 1, readers: 1, maxRetries: 1 },
  });
  assert.deepEqual(
    results.map(({ protocol, model, holds }) => [protocol, model, holds]),
    [[file, "sc", true]],
  );
});
