import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { PROTOCOLS } from "../src/verify/protocols.js";
import { Captured, cli } from "./cli-helpers.js";

const MAIN = join(__dirname, "../src/cli/main.js");

const folder = mkdtempSync(join(tmpdir(), "stealclock-verify-"));
after(() => rmSync(folder, { recursive: true }));

/** A protocol file of the user's own. */
function fileOf(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const WRITE = `export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
}
`;
const TORN = `${WRITE}export function read(words, out) {
  for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
  return 0;
}
`;

const RIGHT_READ = `(words, out) => {
  const version = Atomics.load(words, 0);
  if ((version & 1) !== 0) return -1;
  for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
  return Atomics.load(words, 0) === version ? 0 : -1;
}`;

/** The smallest exploration that there is. */
const SMALL = ["--updates", "1", "--readers", "1", "--retries", "0"];

interface Document {
  readonly schema: string;
  readonly ok: boolean;
  readonly results: readonly Record<string, unknown>[];
}

const RESULT_KEYS = ["protocol", "model", "holds", "executions", "outcomes", "durationNs", "counterexample"];

function documentOf(stdout: string): Document {
  const document: Document = JSON.parse(stdout);
  assert.deepEqual(Object.keys(document), ["schema", "ok", "results"]);
  assert.equal(document.schema, "stealclock.verify/1");
  for (const result of document.results) assert.deepEqual(Object.keys(result), RESULT_KEYS);
  return document;
}

test("verify --json is one document of what ships under every model", async () => {
  const { exitCode, stdout, stderr } = await cli(["verify", "--protocol", "shipped", "--json"]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  assert.ok(stdout.endsWith("}\n"));
  const { ok, results } = documentOf(stdout);
  assert.equal(ok, true);
  assert.deepEqual(
    results.map(({ protocol, model, holds, counterexample }) => [protocol, model, holds, counterexample]),
    ["sc", "tso", "es", "arm"].map((model) => ["shipped", model, true, null]),
  );
  for (const { executions, outcomes, durationNs } of results) {
    for (const figure of [executions, outcomes, durationNs]) assert.ok(Number.isInteger(figure) && Number(figure) > 0);
  }
});

test("the document holds a counterexample as the explorer found it, and a broken protocol is expected to have one", async () => {
  const argv = ["verify", "--protocol", "plain-payload", "--model", "es,sc", "--json", ...SMALL];
  const { exitCode, stdout } = await cli(argv);
  assert.equal(exitCode, 0);
  const { ok, results } = documentOf(stdout);
  assert.equal(ok, true);
  assert.deepEqual(
    results.map(({ model, holds }) => [model, holds]),
    [
      ["sc", true],
      ["es", false],
    ],
  );
  const counterexample = results[1].counterexample as Record<string, unknown>;
  assert.deepEqual(Object.keys(counterexample), [
    "problem",
    "start",
    "updates",
    "stealOnly",
    "maxRetries",
    "threads",
    "rows",
  ]);
  assert.deepEqual(counterexample.stealOnly, []);
  assert.deepEqual(counterexample.threads, ["writer", "reader"]);
  const rows = counterexample.rows as readonly Record<string, unknown>[];
  for (const row of rows) {
    assert.deepEqual(Object.keys(row), [
      "thread",
      "operation",
      "order",
      "word",
      "loaded",
      "stored",
      "from",
      "overtaken",
    ]);
  }
  assert.deepEqual(rows.at(-1), {
    thread: 1,
    operation: "load",
    order: "atomic",
    word: 0,
    loaded: 0,
    stored: null,
    from: null,
    overtaken: 1,
  });
});

test("a counterexample is shown as a timeline with a column for each thread", async () => {
  const { exitCode, stdout, stderr } = await cli(["verify", "--protocol", "equality-only", ...SMALL]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  const lines = stdout.split("\n");
  const heads = lines.findIndex((line) => /^ +writer +reader$/.test(line));
  assert.match(
    lines.slice(0, heads).join(" ").replaceAll(/\s+/g, " "),
    /Shortest counterexample under sc, tso, es, arm \(a fresh page, 1 update, 0 retries\):$/,
  );
  const column = lines[heads].indexOf("reader");
  assert.match(lines[heads + 1], /^ +1 {2}load version -> 0 \(initial\)$/);
  assert.match(lines[heads + 3], /^ +3 {2}store word 1 = 11$/);
  assert.equal(lines[heads + 4].indexOf("load version -> 1 (row 2)"), column);
  assert.equal(lines[heads + 5].indexOf("load word 1 -> 11 (row 3)"), column);
  assert.equal(lines[heads + 12].indexOf("load version -> 1 (row 2)"), column);
  assert.equal(lines[heads + 13], "  The read accepted a mixture: word 1 of update 1, words 2-7 of the initial");
  assert.match(stdout, /^equality-only \(broken on purpose\)$/m);
  assert.match(stdout, /^ {2}es +\d+ +\d+ +\S+ {2}BROKEN$/m);
});

test("what the models disagree on is explained", async () => {
  const { stdout } = await cli(["verify", "--protocol", "plain-payload", ...SMALL]);
  const text = stdout.replaceAll(/\s+/g, " ");
  assert.ok(text.includes("It holds under sc and tso:"));
  assert.ok(text.includes("So x86 cannot show it, and an ARM64 machine may."));
});

test("a protocol of the user's own that is broken leaves with 1, one that is right with 0", async () => {
  const torn = fileOf("torn.mjs", TORN);
  const broken = await cli(["verify", "--protocol-file", torn, "--model", "sc", ...SMALL]);
  assert.deepEqual([broken.exitCode, broken.stderr], [1, ""]);
  assert.ok(broken.stdout.includes(`${torn} (has to hold, and does not)`));
  assert.ok(broken.stdout.includes("BROKEN"));
  const asDocument = await cli(["verify", "--protocol-file", torn, "--model", "sc", "--json", ...SMALL]);
  assert.equal(asDocument.exitCode, 1);
  assert.equal(documentOf(asDocument.stdout).ok, false);

  const own = fileOf("own.mjs", `${WRITE}export const read = ${RIGHT_READ};`);
  const right = await cli(["verify", "--protocol-file", own, "--model", "sc,es", ...SMALL]);
  assert.deepEqual([right.exitCode, right.stderr], [0, ""]);
});

test("a protocol file with a wrong writeSteal leaves with 1, and the updates of the steal alone are named", async () => {
  const stealLast = "Atomics.add(words, 0, 2); Atomics.store(words, 1, stealMs);";
  const file = fileOf(
    "steal-last.mjs",
    `let accepted = 0;
${WRITE}
const readWords = ${RIGHT_READ};
export const acceptedVersion = () => accepted;
export function read(words, out) {
  accepted = Atomics.load(words, 0);
  return readWords(words, out) === 0 && Atomics.load(words, 0) === accepted ? 0 : -1;
}
export function writeSteal(words, stealMs) { ${stealLast} }`,
  );
  const { exitCode, stdout, stderr } = await cli(["verify", "--protocol-file", file, "--model", "sc", ...SMALL]);
  assert.deepEqual([exitCode, stderr], [1, ""]);
  const text = stdout.replaceAll(/\s+/g, " ");
  const size = "(a fresh page, 1 update, update 1 of the steal alone, 0 retries):";
  assert.ok(text.includes(`Shortest counterexample under sc ${size}`), text);
  assert.ok(text.includes("The read accepted the initial values under version 2; it was written under 0."), text);
});

test("a file whose writeSteal is no function leaves with 2, and is named", async () => {
  const file = fileOf("steal-five.mjs", `${WRITE}export const read = ${RIGHT_READ};\nexport const writeSteal = 5;`);
  const { exitCode, stdout, stderr } = await cli(["verify", "--protocol-file", file, "--json", ...SMALL]);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.ok(stderr.startsWith(`stealclock: ${file}: its writeSteal is not a function; accepted: `), stderr);
});

test("a file that is no protocol leaves with 2, is named, and shows no table", async () => {
  const file = fileOf("five.mjs", `${WRITE}export const read = () => 5;`);
  const { exitCode, stdout, stderr } = await cli(["verify", "--protocol-file", file, "--json", ...SMALL]);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.ok(stderr.startsWith(`stealclock: ${file}: read() returned 5;`), stderr);
  assert.equal(stderr.split("\n").length, 2, "one line");
});

/** Arguments of verify, then what the message must contain. */
const REFUSED: readonly (readonly [args: string, ...parts: string[]])[] = [
  ["--protocol shiped", '--protocol: "shiped"', "did you mean shipped?"],
  ["--protocol odd-test", '--protocol: "odd-test"', "accepted: no-version-check, equality-only"],
  ["--model scc", '--model: "scc"', "accepted: sc, tso, es, arm", "did you mean sc?"],
  ["--model sc,,es", '--model: ""', "accepted: sc, tso, es, arm"],
  ["--model power", '--model: "power"'],
  ["--updates 0", "--updates: 0", "from 1 to 3"],
  ["--updates 4", "--updates: 4", "from 1 to 3"],
  ["--updates 1.5", "--updates:", "from 1 to 3"],
  ["--updates two", '--updates: "two"', "from 1 to 3"],
  ["--readers 0", "--readers: 0", "from 1 to 3"],
  ["--readers 4", "--readers: 4", "from 1 to 3"],
  ["--retries -1", "--retries: -1", "from 0 to 3"],
  ["--retries 4", "--retries: 4", "from 0 to 3"],
  ["--protocol shipped --protocol-file own.mjs", "--protocol and --protocol-file: accepted: one of them"],
  ["--protocol-file nowhere.mjs", "nowhere.mjs: no such file", "JavaScript module"],
  ["--jsn", "unknown option '--jsn'", "Did you mean --json?"],
  ["extra", "too many arguments"],
];

test("bad input leaves with 2, and the message names the flag and what is accepted", async () => {
  for (const [args, ...parts] of REFUSED) {
    const { exitCode, stdout, stderr } = await cli(["verify", ...args.split(" ")]);
    assert.deepEqual([exitCode, stdout], [2, ""], args);
    for (const part of parts) assert.ok(stderr.includes(part), `${args}: ${part} is not in ${stderr}`);
  }
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const ESCAPES = /\u001b\[[0-9;?]*[A-Za-z]/g;

test("on a terminal of 40 columns no line is longer", async () => {
  for (const protocol of ["shipped", "plain-payload", "plain-payload-rmw-check"]) {
    const stdout = new Captured({ columns: 40, rows: 20 });
    await cli(["verify", "--protocol", protocol, ...SMALL], { stdout });
    for (const line of stdout.text.replaceAll(ESCAPES, "").split("\n")) assert.ok(line.length <= 40, line);
  }
});

test("on a terminal of 80 columns no line is longer, and none ends with blanks", async () => {
  for (const protocol of ["shipped", "plain-payload", "plain-payload-rmw-check"]) {
    const stdout = new Captured({ columns: 80, rows: 20 });
    await cli(["verify", "--protocol", protocol, ...SMALL], { stdout });
    for (const line of stdout.text.replaceAll(ESCAPES, "").split("\n")) {
      assert.ok(line.length <= 80, line);
      assert.doesNotMatch(line, / $/);
    }
  }
});

test("a problem that has no timeline is shown without one", async () => {
  const quiet = fileOf("quiet.mjs", `${WRITE}export const read = (words) => Atomics.load(words, 0) * 0 - 1;`);
  const { exitCode, stdout } = await cli(["verify", "--protocol-file", quiet, "--model", "sc", ...SMALL]);
  assert.equal(exitCode, 1);
  assert.doesNotMatch(stdout, / $/m);
});

test("what a protocol prints does not get into the document", async () => {
  const chatty = fileOf("chatty.mjs", `console.log("listen");\n${WRITE}export const read = ${RIGHT_READ};`);
  const { stdout } = await run(["--protocol-file", chatty, "--model", "sc", "--json", ...SMALL]);
  assert.equal(documentOf(stdout).ok, true);
});

test("stopped before anything was found it leaves with 130, and shows nothing", async () => {
  const signals = new EventEmitter();
  const stdout = new Captured();
  const verifying = cli(["verify", "--json", ...LONG], { stdout, signals });
  signals.emit("SIGINT");
  const { exitCode, stderr } = await verifying;
  assert.equal(exitCode, 130);
  const stopped = "stealclock: stopped before the exploration was complete\n";
  assert.equal(stderr, `stealclock: stopping; once more leaves at once\n${stopped}`);
  assert.equal(stdout.text, "");
});

/** Only a command that hangs is still there after this: it is not left behind. */
const NEVER_MS = 100_000;

/** Runs the command as a process of its own; `onOutput` is told all of stdout whenever there is more. */
async function run(
  args: readonly string[],
  onOutput: (child: ReturnType<typeof spawn>, stdout: string) => void = () => {},
) {
  const child = spawn(process.execPath, [MAIN, "verify", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: NEVER_MS,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    onOutput(child, stdout);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [exitCode, signal] = await once(child, "close");
  return { exitCode, signal, stdout, stderr };
}

/** Far more than anybody waits for: whoever gets an answer has not waited for the end. */
const LONG = ["--updates", "3", "--readers", "3", "--retries", "3"];

test("Ctrl-C ends it in the middle, with whole lines of what was found by then", async () => {
  let isStopped = false;
  const { exitCode, signal, stdout, stderr } = await run(LONG, (child, text) => {
    if (!isStopped && /^no-version-check/m.test(text)) isStopped = child.kill("SIGINT");
  });
  assert.deepEqual([exitCode, signal], [130, null], stderr);
  assert.ok(stdout.endsWith("\n"));
  assert.match(stdout, /^no-version-check \(broken on purpose\)$/m);
  assert.doesNotMatch(stdout, /^shipped/m);
  const shown = PROTOCOLS.filter(({ name }) => stdout.includes(`\n${name} (`)).length;
  assert.match(
    stdout.replaceAll(/\s+/g, " "),
    new RegExp(` ${shown} protocols?: `),
    "the summary counts what is shown",
  );
});

test("a pipe is written without escape sequences, and nothing beside the results", async () => {
  const { exitCode, stdout, stderr } = await run(["--protocol", "plain-payload", ...SMALL]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  assert.ok(!stdout.includes("\u001b"));
  assert.ok(!stdout.includes("\r"));
  assert.match(stdout, /^plain-payload \(broken on purpose\)$/m);
});
