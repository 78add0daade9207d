import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReadResult } from "../src/verify/check/protocol-threads.js";
import type { UpdateKind } from "../src/verify/check/updates.js";
import { storedBy } from "../src/verify/explore/access.js";
import { explore } from "../src/verify/explore/explorer.js";
import type { Program, ThreadOutcome } from "../src/verify/explore/program.js";
import { Recorder } from "../src/verify/explore/recorder.js";
import type { TrieNode } from "../src/verify/explore/thread-trie.js";
import { MODEL_NAMES, type ModelName } from "../src/verify/models/model.js";
import { MODELS } from "../src/verify/models/models.js";
import { type KnownProtocol, PROTOCOLS } from "../src/verify/protocols.js";

export const ALL_MODELS: readonly ModelName[] = MODEL_NAMES;
/** More graphs than any program of these tests has. */
export const MAX_STEPS = 5_000_000;

export function protocolNamed(name: string): KnownProtocol {
  const found = PROTOCOLS.find((protocol) => protocol.name === name);
  if (found === undefined) throw new Error(`there is no protocol ${name}`);
  return found;
}

/** So many updates by write(). */
export function full(updates: number): UpdateKind[] {
  return new Array<UpdateKind>(updates).fill("full");
}

/** Makes a recorder's Atomics those of this process for good: only for a test file that runs no real page. */
export function recordAllAtomics(words: number): Recorder {
  const recorder = new Recorder(words);
  Reflect.set(globalThis, "Atomics", recorder.atomics);
  return recorder;
}

/** Runs code, all of it at once, with a recorder's Atomics in the place of the process's own. */
export function whileRecorded<T>(recorder: Recorder, act: () => T): T {
  const own = globalThis.Atomics;
  Reflect.set(globalThis, "Atomics", recorder.atomics);
  try {
    return act();
  } finally {
    Reflect.set(globalThis, "Atomics", own);
  }
}

/** A folder that is gone after the action. */
export async function inTemporaryFolder<T>(act: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "stealclock-verify-"));
  try {
    return await act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What a caller of a read can tell: the retries, whichever way they were explored, and the words. */
export function readKey({ result, oddRetries, changeRetries }: ThreadOutcome): string {
  const { gaveUp, retries, out } = result as ReadResult;
  return gaveUp ? "gave up" : `${retries + oddRetries + changeRetries} retries: ${out.join()}`;
}

/** All that a thread of a program can come to under a model, in order. */
export function resultsOf(model: ModelName, program: Program, thread: number): string[] {
  const results = new Set<string>();
  explore(program, MODELS[model], MAX_STEPS, ({ outcomes }) => {
    const outcome = outcomes[thread];
    if (outcome !== null) results.add(readKey(outcome));
  });
  return [...results].sort();
}

/** How far a run of all threads has come: for each its node, the words, and what waits in its store buffer. */
export interface MachineState {
  readonly nodes: readonly TrieNode[];
  readonly memory: readonly number[];
  readonly buffers: readonly (readonly BufferedStore[])[];
}

interface BufferedStore {
  readonly location: number;
  readonly value: number;
}

/**
 * Runs a program on a machine: one step of one thread at a time, in every order. With store buffers, a plain store waits
 * in its thread's buffer, where that thread alone sees it, until it goes to memory at any later moment, in turn; an atomic
 * store or read-modify-write waits until the buffer is empty.
 *
 * Knows nothing of graphs or models, and so is what they can be held against: without buffers sc, with them x86-TSO.
 *
 * @param visit told of every state once, nearest first, with the number of steps that lead there; true ends the run
 */
export function runMachine(
  program: Program,
  hasBuffers: boolean,
  visit: (state: MachineState, steps: number) => boolean,
): void {
  const first: MachineState = {
    nodes: program.threads.map(({ trie }) => trie.root),
    memory: program.initial,
    buffers: program.threads.map(() => []),
  };
  const seen = new Set([stateKey(first)]);
  let frontier = [first];
  for (let steps = 0; frontier.length > 0; steps++) {
    const further: MachineState[] = [];
    for (const state of frontier) {
      if (visit(state, steps)) return;
      for (const next of nextStates(program, state, hasBuffers)) {
        const key = stateKey(next);
        if (seen.has(key)) continue;
        seen.add(key);
        further.push(next);
      }
    }
    frontier = further;
  }
}

function stateKey({ nodes, memory, buffers }: MachineState): string {
  const waiting = buffers.map((buffer) => buffer.map(({ location, value }) => `${location}=${value}`).join());
  return `${nodes.map(({ id }) => id).join()}|${memory.join()}|${waiting.join("|")}`;
}

function nextStates(program: Program, state: MachineState, hasBuffers: boolean): MachineState[] {
  return program.threads.flatMap((_, thread) => [
    ...stepsOf(program, state, thread, hasBuffers),
    ...flushesOf(state, thread),
  ]);
}

function stepsOf(program: Program, state: MachineState, thread: number, hasBuffers: boolean): MachineState[] {
  const node = state.nodes[thread];
  const buffer = state.buffers[thread];
  if (node.kind === "end") return [];
  const { location } = node.access;
  if (node.kind === "store") {
    const { order, value } = node.access;
    if (hasBuffers && order === "plain") {
      return [at(state, thread, node.next, { buffer: [...buffer, { location, value }] })];
    }
    return buffer.length > 0 ? [] : [at(state, thread, node.next, { memory: state.memory.with(location, value) })];
  }
  if (node.access.kind === "rmw" && buffer.length > 0) return [];
  const loaded = buffer.findLast((waiting) => waiting.location === location)?.value ?? state.memory[location];
  const stored = storedBy(node.access, loaded);
  const memory = stored === null ? state.memory : state.memory.with(location, stored);
  return [at(state, thread, program.threads[thread].trie.after(node, loaded), { memory })];
}

function flushesOf(state: MachineState, thread: number): MachineState[] {
  const [oldest, ...rest] = state.buffers[thread];
  if (oldest === undefined) return [];
  const memory = state.memory.with(oldest.location, oldest.value);
  return [at(state, thread, state.nodes[thread], { memory, buffer: rest })];
}

function at(
  state: MachineState,
  thread: number,
  node: TrieNode,
  {
    memory = state.memory,
    buffer = state.buffers[thread],
  }: { memory?: readonly number[]; buffer?: readonly BufferedStore[] },
): MachineState {
  return { nodes: state.nodes.with(thread, node), memory, buffers: state.buffers.with(thread, buffer) };
}

/** All that a thread can come to on the machine, in order. */
export function machineResultsOf(program: Program, hasBuffers: boolean, thread: number): string[] {
  const results = new Set<string>();
  runMachine(program, hasBuffers, ({ nodes }) => {
    const node = nodes[thread];
    if (node.kind === "end") results.add(readKey({ result: node.result, oddRetries: 0, changeRetries: 0 }));
    return false;
  });
  return [...results].sort();
}
