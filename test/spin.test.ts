import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { payloadOf } from "../src/verify/check/payload.js";
import { ProtocolThreads, type ReadResult } from "../src/verify/check/protocol-threads.js";
import { readProgram } from "../src/verify/check/read-program.js";
import { FRESH } from "../src/verify/check/start.js";
import { storedBy } from "../src/verify/explore/access.js";
import { explore } from "../src/verify/explore/explorer.js";
import type { Graph } from "../src/verify/explore/graph.js";
import type { Program, Storing } from "../src/verify/explore/program.js";
import type { ThreadTrie, TrieNode } from "../src/verify/explore/thread-trie.js";
import { loadProtocol } from "../src/verify/load-protocol.js";
import { MODELS } from "../src/verify/models/models.js";
import { PROTOCOL_WORDS } from "../src/verify/protocol.js";
import { full, inTemporaryFolder, MAX_STEPS, protocolNamed, recordAllAtomics } from "./verify-helpers.js";

/*
 * The explorer under sc, held against SPIN, a model checker of others' making: the same threads in Promela, all of
 * whose interleavings SPIN looks at. A thread is translated as far as the explorer came, with a trap wherever a load could return
 * a value that the explorer never saw there.
 */

const recorder = recordAllAtomics(PROTOCOL_WORDS);

const missing = ["spin", "gcc"].filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
const skip = missing.length > 0 ? `not on PATH: ${missing.join(", ")}` : false;

const READER = 1;

/** A program, and how far the explorer came in each of its threads. */
interface Explored {
  readonly program: Program;
  readonly reached: ReadonlySet<TrieNode>;
}

async function exploreUnderSc(name: string, updates: number, storing: Storing): Promise<Explored> {
  const threads = new ProtocolThreads(recorder, await loadProtocol(protocolNamed(name).file));
  const size = { start: FRESH, updates: full(updates), readers: 1, maxRetries: 0 };
  const program = readProgram(threads, size, { storing, madeOfAttempts: false });
  const reached = new Set<TrieNode>();
  explore(program, MODELS.sc, MAX_STEPS, ({ graph }) => {
    for (const [thread, { trie }] of program.threads.entries()) addPath(reached, trie, loadedBy(graph, thread));
  });
  return { program, reached };
}

function loadedBy(graph: Graph, thread: number): number[] {
  return graph.byThread[thread].filter((event) => graph.isRead[event] !== 0).map((event) => graph.loaded[event]);
}

/** Adds the nodes through which a thread goes that loads these values. */
function addPath(reached: Set<TrieNode>, trie: ThreadTrie, loaded: readonly number[]): void {
  let node = trie.root;
  let taken = 0;
  while (node.kind !== "end") {
    reached.add(node);
    node = node.kind === "store" ? node.next : trie.after(node, loaded[taken++]);
  }
  assert.equal(taken, loaded.length);
  reached.add(node);
}

function leavesOf(reached: ReadonlySet<TrieNode>, trie: ThreadTrie): TrieNode[] {
  const leaves: TrieNode[] = [];
  const look = (node: TrieNode): void => {
    if (!reached.has(node)) return;
    if (node.kind === "end") leaves.push(node);
    else if (node.kind === "store") look(node.next);
    else for (const child of node.children.values()) look(child);
  };
  look(trie.root);
  return leaves;
}

function isTorn(node: TrieNode): boolean {
  if (node.kind !== "end") return false;
  const { gaveUp, out } = node.result as ReadResult;
  return !gaveUp && ![0, 1, 2].some((update) => payloadOf(update).every((value, index) => value === out[index]));
}

/** A Promela model of an explored program. */
class Model {
  readonly #explored: Explored;
  readonly #leaves: readonly TrieNode[];
  readonly #trapsTorn: boolean;
  readonly #lines: string[] = [];

  /** @param trapsTorn whether a torn read is an error, as is a load of what the explorer never saw */
  constructor(explored: Explored, trapsTorn: boolean) {
    this.#explored = explored;
    this.#trapsTorn = trapsTorn;
    this.#leaves = leavesOf(explored.reached, explored.program.threads[READER].trie);
  }

  get text(): string {
    const { initial, threads } = this.#explored.program;
    this.#lines.push(`int mem[${initial.length}];`, "int leaf;");
    for (const [thread, { trie }] of threads.entries()) {
      this.#lines.push(`proctype thread${thread}() {`);
      this.#add(trie.root, thread);
      this.#lines.push("}");
    }
    const fill = initial.map((value, word) => `mem[${word}] = ${value};`);
    const run = threads.map((_, thread) => `run thread${thread}();`);
    this.#lines.push("init {", "atomic {", ...fill, ...run, "}", "}");
    return `${this.#lines.join("\n")}\n`;
  }

  #add(node: TrieNode, thread: number): void {
    switch (node.kind) {
      case "end":
        this.#addEnd(node, thread);
        return;
      case "store":
        this.#lines.push(`mem[${node.access.location}] = ${node.access.value};`);
        this.#add(node.next, thread);
        return;
      case "read":
        this.#addRead(node, thread);
        return;
    }
  }

  #addEnd(node: TrieNode, thread: number): void {
    if (thread !== READER) this.#lines.push("skip;");
    else if (this.#trapsTorn && isTorn(node)) this.#lines.push("assert(false);");
    else this.#lines.push(`leaf = ${this.#leaves.indexOf(node) + 1};`);
  }

  /** One step looks at the word and branches on what it finds, and stores if the access does. */
  #addRead({ access, children }: Extract<TrieNode, { kind: "read" }>, thread: number): void {
    const word = `mem[${access.location}]`;
    this.#lines.push("if");
    for (const [value, child] of children) {
      if (!this.#explored.reached.has(child)) continue;
      const stored = storedBy(access, value);
      const step = stored === null ? `${word} == ${value}` : `atomic { ${word} == ${value} -> ${word} = ${stored} }`;
      this.#lines.push(`:: ${step};`);
      this.#add(child, thread);
    }
    this.#lines.push(":: else -> assert(false);", "fi;");
  }
}

interface SpinRun {
  readonly errors: number;
  readonly states: number;
  /** Numbers of the reader's leaves that SPIN never came to. */
  readonly unreached: readonly number[];
}

/** Has SPIN look at every interleaving of a model, past all errors. */
function runSpin(model: string): Promise<SpinRun> {
  return inTemporaryFolder((folder) => {
    writeFileSync(join(folder, "model.pml"), model);
    const run = (tool: string, args: readonly string[]): string =>
      execFileSync(tool, args, { cwd: folder, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
    run("spin", ["-a", "model.pml"]);
    // Not optimised: the search takes a moment, and the compiler far longer over a branch for each of thousands of steps.
    run("gcc", ["-w", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"]);
    return spinRunOf(run(join(folder, "pan"), ["-c0", "-m100000"]));
  });
}

/** What pan printed: a search that is whole, and of which all figures are there. */
function spinRunOf(text: string): SpinRun {
  const figure = (pattern: RegExp): number => {
    const found = pattern.exec(text);
    assert.ok(found !== null, `${pattern} is not in what pan printed:\n${text}`);
    return Number(found[1]);
  };
  assert.match(text, /Full statespace search for:/);
  assert.doesNotMatch(text, /Search not completed|max search depth too small|out of memory|hash-?conflict.*truncated/i);
  const list = text.indexOf(`unreached in proctype thread${READER}`);
  assert.ok(list >= 0, "pan lists what it never came to");
  const own = text.slice(list, text.indexOf("unreached in init", list));
  const unreached = [...own.matchAll(/"leaf = (\d+)"/g)].map(([, number]) => Number(number));
  return { errors: figure(/errors: (\d+)/), states: figure(/(\d+) states, stored/), unreached };
}

interface Compared {
  readonly name: string;
  readonly updates: number;
  readonly storing: Storing;
  readonly holds: boolean;
}

const COMPARED: readonly Compared[] = [
  { name: "shipped", updates: 1, storing: "nothing", holds: true },
  { name: "shipped", updates: 2, storing: "nothing", holds: true },
  { name: "odd-test-only", updates: 1, storing: "nothing", holds: false },
  { name: "equality-only", updates: 1, storing: "nothing", holds: false },
  { name: "payload-before-odd", updates: 1, storing: "nothing", holds: false },
  { name: "plain-payload", updates: 1, storing: "nothing", holds: true },
  { name: "plain-payload-rmw-both", updates: 1, storing: "what it loaded", holds: true },
];

for (const { name, updates, storing, holds } of COMPARED) {
  test(`SPIN on ${name}, ${updates} of its updates: the same reads, and the same verdict`, { skip }, async () => {
    const explored = await exploreUnderSc(name, updates, storing);
    const leaves = leavesOf(explored.reached, explored.program.threads[READER].trie);
    assert.ok(leaves.length > 100, "there is something to compare");
    const model = new Model(explored, false).text;
    const run = await runSpin(model);
    const { errors, states, unreached } = run;
    assert.equal(errors, 0, "no load finds what the explorer never saw there");
    assert.deepEqual(unreached, [], "SPIN comes to every end that the explorer came to");
    assert.ok(states > leaves.length);
    assert.equal(!leaves.some(isTorn), holds, "the explorer's verdict");
    const judging = new Model(explored, true).text;
    const judged = judging === model ? run : await runSpin(judging);
    assert.equal(judged.errors === 0, holds, "SPIN's verdict");
  });
}

test("SPIN tells when the explorer missed an end, or came to one that there is not", { skip }, async () => {
  const explored = await exploreUnderSc("odd-test-only", 1, "nothing");
  const { trie } = explored.program.threads[READER];
  const leaves = leavesOf(explored.reached, trie);
  const missed = new Set(explored.reached);
  missed.delete(leaves[leaves.length >> 1]);
  assert.ok((await runSpin(new Model({ ...explored, reached: missed }, false).text)).errors > 0);

  const invented = new Set(explored.reached);
  addPath(invented, trie, [2, 1, 2, 3, 4, 5, 6, 7]);
  const { unreached } = await runSpin(new Model({ ...explored, reached: invented }, false).text);
  assert.equal(unreached.length, 1);
});
