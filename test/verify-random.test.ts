import assert from "node:assert/strict";
import { test } from "node:test";
import type { Execution } from "../src/verify/explore/execution.js";
import { explore } from "../src/verify/explore/explorer.js";
import type { Graph } from "../src/verify/explore/graph.js";
import type { Program } from "../src/verify/explore/program.js";
import type { ModelName } from "../src/verify/models/model.js";
import { MODELS } from "../src/verify/models/models.js";
import { litmusProgram, outcomesUnder } from "./litmus-helpers.js";
import { MAX_STEPS, runMachine } from "./verify-helpers.js";

/*
 * Programs drawn by lot, small enough for every run to be taken, held against machines that know nothing of graphs.
 */

const PROGRAMS = 1_000;
const LOCATIONS = 2;

/** Numbers below `below`, the same ones every time. */
function drawer(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Two threads of up to four accesses, or three of up to two, in the letters of litmus tests; every value stored once. */
function drawThreads(draw: (below: number) => number): string[] {
  let value = 0;
  const access = (): string => {
    const isAtomic = draw(3) === 0;
    const letter = "xy"[draw(LOCATIONS)];
    const place = isAtomic ? letter.toUpperCase() : letter;
    const kind = draw(isAtomic ? 6 : 4);
    if (kind < 2) return `${place}?`;
    return kind < 4 ? `${place}=${++value}` : `${place}<${++value}`;
  };
  const threads = 2 + draw(2);
  const most = threads === 2 ? 4 : 2;
  return Array.from({ length: threads }, () => Array.from({ length: 1 + draw(most) }, access).join(" "));
}

const DRAWN: readonly string[][] = Array.from({ length: PROGRAMS }, (_, seed) => drawThreads(drawer(seed + 1)));

/** What the threads saw, and where their stores left the words. */
function endOf({ graph, outcomes }: Execution): string {
  const last = graph.coherence.map((order) => graph.stored[order.at(-1) ?? 0]);
  return `${outcomes.map((outcome) => String(outcome?.result)).join(";")} then ${last.join()}`;
}

function machineEnds(program: Program, hasBuffers: boolean): string[] {
  const ends = new Set<string>();
  runMachine(program, hasBuffers, ({ nodes, memory, buffers }) => {
    const seen = nodes.map((node) => (node.kind === "end" ? String(node.result) : null));
    if (!seen.includes(null) && buffers.every(({ length }) => length === 0))
      ends.add(`${seen.join(";")} then ${memory.join()}`);
    return false;
  });
  return [...ends].sort();
}

test("sc and tso allow just what machines without and with store buffers come to", () => {
  let buffered = 0;
  for (const threads of DRAWN) {
    const program = litmusProgram(LOCATIONS, threads);
    const sc = outcomesUnder("sc", program, endOf);
    const tso = outcomesUnder("tso", program, endOf);
    assert.deepEqual(sc, machineEnds(program, false), `sc: ${threads.join(" | ")}`);
    assert.deepEqual(tso, machineEnds(program, true), `tso: ${threads.join(" | ")}`);
    if (tso.length > sc.length) buffered++;
  }
  assert.ok(buffered >= 10, `store buffers show in ${buffered} programs`);
});

test("what a model allows every weaker one does", () => {
  const wider = { tso: 0, arm: 0, es: 0 };
  for (const threads of DRAWN) {
    const program = litmusProgram(LOCATIONS, threads);
    let stronger = outcomesUnder("sc", program);
    for (const model of ["tso", "arm", "es"] as const) {
      const outcomes = outcomesUnder(model, program);
      const lost = stronger.filter((outcome) => !outcomes.includes(outcome));
      assert.deepEqual(lost, [], `${model}: ${threads.join(" | ")}`);
      if (outcomes.length > stronger.length) wider[model]++;
      stronger = outcomes;
    }
  }
  for (const [model, programs] of Object.entries(wider)) assert.ok(programs >= 5, `${model} is wider in ${programs}`);
});

test("without plain accesses every model allows the same", () => {
  for (const threads of DRAWN) {
    const program = litmusProgram(
      LOCATIONS,
      threads.map((thread) => thread.toUpperCase()),
    );
    const sc = outcomesUnder("sc", program);
    for (const model of ["tso", "arm", "es"] as const) assert.deepEqual(outcomesUnder(model, program), sc, model);
  }
});

/** What each load read from, and the order of each word's stores. */
function executionKey(graph: Graph): string {
  const name = (event: number): string =>
    graph.isInitial(event) ? "first" : `${graph.thread[event]}.${graph.place[event]}`;
  const sources = graph.byThread.map((own) =>
    own.map((event) => (graph.isRead[event] === 0 ? "" : name(graph.readsFrom[event]))).join(),
  );
  return `${sources.join(";")} ${graph.coherence.map((order) => order.map(name).join("<")).join(" ")}`;
}

/** The same of every interleaving. */
function interleavings(threads: readonly string[]): Set<string> {
  const accesses = threads.map((thread) => thread.split(" "));
  const keys = new Set<string>();
  const run = (places: readonly number[], sources: readonly string[][], orders: readonly string[][]): void => {
    if (places.every((place, thread) => place === accesses[thread].length)) {
      keys.add(`${sources.map((own) => own.join()).join(";")} ${orders.map((order) => order.join("<")).join(" ")}`);
      return;
    }
    for (const [thread, own] of accesses.entries()) {
      const place = places[thread];
      if (place === own.length) continue;
      const [letter, operator] = own[place].toLowerCase();
      const location = "xy".indexOf(letter);
      const source = operator === "=" ? "" : (orders[location].at(-1) ?? "");
      const order = operator === "?" ? orders[location] : [...orders[location], `${thread}.${place}`];
      run(
        places.with(thread, place + 1),
        sources.with(thread, [...sources[thread], source]),
        orders.with(location, order),
      );
    }
  };
  const none = threads.map(() => 0);
  run(
    none,
    none.map(() => []),
    [["first"], ["first"]],
  );
  return keys;
}

test("under sc the explorer visits what the interleavings come to, each once", () => {
  for (const threads of DRAWN) {
    const visited: string[] = [];
    const { executions } = explore(litmusProgram(LOCATIONS, threads), MODELS.sc, MAX_STEPS, ({ graph }) => {
      visited.push(executionKey(graph));
    });
    assert.equal(executions, visited.length);
    assert.deepEqual(visited.sort(), [...interleavings(threads)].sort(), threads.join(" | "));
  }
});

test("under every model each execution is visited once", () => {
  for (const threads of DRAWN) {
    const program = litmusProgram(LOCATIONS, threads);
    for (const model of Object.keys(MODELS) as ModelName[]) {
      const visited = new Set<string>();
      const { executions } = explore(program, MODELS[model], MAX_STEPS, ({ graph }) =>
        visited.add(executionKey(graph)),
      );
      assert.equal(visited.size, executions, `${model}: ${threads.join(" | ")}`);
    }
  }
});
