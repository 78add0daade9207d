import assert from "node:assert/strict";
import { test } from "node:test";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { loadProtocolModule } from "../src/backend/protocol-module.js";
import { SYSTEM_TIME_WORD, VERSION_WORD } from "../src/shared/pvclock-page.js";
import { U64 } from "../src/shared/u64.js";
import { SCRATCH_BYTES, WasmProtocol, wasmMemory } from "../src/shared/wasm-protocol.js";
import { CLOCK_SOURCE, compileClockModel } from "./fixtures/compile-protocol.js";
import { type Mutant, mutated } from "./fixtures/protocol-mutants.js";
import { sharedWords } from "./fixtures/pvclock-struct.js";

/*
 * The guard of assembly/kvmclock.ts against other CPUs: first as its source has it, with another CPU let in between any two of
 * its accesses, and then as it ships, by threads.
 */

const LAST_VALUE_WORD = 16;
const RAM_WORDS = 64;

/** 4.29 s, where the halves of a 64-bit value change at once. */
const HALF = 2 ** 32;

// --- as the source has it ------------------------------------------------------------------------------------------

const PAGE = 0;
const PAGE_VERSION = 2;
const NO_CYCLES = new U64();
/** No turn is lost but to another CPU, of which there are fewer. */
const MOST_ACCESSES = 20;

/** The two ways to the guard. */
const READINGS: Readonly<Record<string, (protocol: WasmProtocol, ns: number) => number>> = {
  raiseLastValue: (protocol, ns) => protocol.raiseLastValue(LAST_VALUE_WORD, ns),
  // A page that was stamped at this instant, and a TSC that has not moved since.
  kvmclockNs: (protocol, ns) => {
    protocol.words.fill(0);
    protocol.words[VERSION_WORD] = PAGE_VERSION;
    protocol.words[SYSTEM_TIME_WORD] = ns | 0;
    protocol.words[SYSTEM_TIME_WORD + 1] = Math.floor(ns / HALF);
    return protocol.clockNs(PAGE, NO_CYCLES, LAST_VALUE_WORD);
  },
};

/** A module of the clock whose accesses are made here. */
class ModelledGuard {
  readonly protocol: WasmProtocol;
  /** What `last_value` holds. */
  value = 0;
  accesses = 0;
  /** What others raise it to: others[i] just before access number i. */
  others: readonly number[] = [];

  constructor(module: WebAssembly.Module) {
    const { memory, scratchByte } = wasmMemory(RAM_WORDS * 4, 1);
    this.protocol = new WasmProtocol(module, memory, scratchByte, {
      kvmclock: {
        modelLoad: (address: number) => BigInt(address === PAGE ? PAGE_VERSION : this.#reached(address)),
        modelCompareExchange: (address: number, expected: bigint, replacement: bigint) => {
          const found = this.#reached(address);
          if (found === Number(expected)) this.value = Number(replacement);
          return BigInt(found);
        },
      },
    });
  }

  #reached(address: number): number {
    assert.equal(address, LAST_VALUE_WORD * 4);
    const raisedTo = this.others[this.accesses++] ?? 0;
    assert.ok(this.accesses <= MOST_ACCESSES, "it comes to an end");
    this.value = Math.max(this.value, raisedTo);
    return this.value;
  }
}

interface Race {
  readonly known: number;
  readonly asked: number;
  readonly others: readonly number[];
}

/** What came of a race: what the CPU was given, what it left for others, and how many accesses it made. */
function raced(
  guard: ModelledGuard,
  read: (protocol: WasmProtocol, ns: number) => number,
  { known, asked, others }: Race,
): { readonly given: number; readonly left: number; readonly accesses: number } {
  guard.value = known;
  guard.accesses = 0;
  guard.others = others;
  const given = read(guard.protocol, asked);
  return { given, left: guard.value, accesses: guard.accesses };
}

/** Values on both sides of a change of the upper half: a mix of two of them would be far off. */
const VALUES = [HALF - 1, HALF, HALF + 1, 2 * HALF + 5];

/** Every known value, every value asked with, and before each of the first three accesses every other CPU's raise or none. */
function everyRace(): Race[] {
  const raises = [0, ...VALUES];
  const others = raises.flatMap((a) => raises.flatMap((b) => raises.map((c) => [a, b, c])));
  return VALUES.flatMap((known) => VALUES.flatMap((asked) => others.map((each) => ({ known, asked, others: each }))));
}

function assertGuards(module: WebAssembly.Module): void {
  const guard = new ModelledGuard(module);
  for (const [name, read] of Object.entries(READINGS)) {
    for (const race of everyRace()) {
      const { given, left, accesses } = raced(guard, read, race);
      const where = `${name}, ${JSON.stringify(race)}: given ${given}, left ${left}`;
      // Others whose turn had not come have not raised it.
      const made = race.others.slice(0, accesses);
      assert.ok(given >= race.asked, `less than it asked with: ${where}`);
      assert.ok(given >= race.known, `less than was given before: ${where}`);
      assert.ok([race.known, race.asked, ...made].includes(given), `what nobody asked with: ${where}`);
      assert.ok(left >= given, `the next is given less: ${where}`);
      assert.equal(left, Math.max(race.known, race.asked, ...made), `a raise is lost: ${where}`);
    }
  }
}

const GUARD_MUTANTS: readonly Mutant[] = [
  {
    name: "its value takes the place of whatever is there",
    replaced: "compareExchange64(lastValue, last, ns)",
    by: "compareExchange64(lastValue, load64(lastValue), ns)",
    problem: /^the next is given less: /,
  },
  {
    name: "a turn that was lost counts as won",
    replaced: "    last = found;\n",
    by: "    return ns;\n",
    problem: /^the next is given less: /,
  },
  {
    name: "a turn that was lost is the last",
    replaced: "    last = found;\n",
    by: "    return found;\n",
    problem: /^less than it asked with: /,
  },
  {
    name: "after a turn that was lost it compares with the value of before",
    replaced: "    last = found;\n",
    by: "",
    problem: /^it comes to an end$/,
  },
  {
    name: "a value that is less takes the place of one that is more",
    replaced: "while (ns > last)",
    by: "while (ns !== last)",
    problem: /^a raise is lost: /,
  },
];

async function clockModel(source: string): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(new Uint8Array((await compileClockModel(source)).module));
}

// --- as it ships ---------------------------------------------------------------------------------------------------

const THREADS = 2;
/** So many turns between which another thread had one are enough; so many of one thread in all are given up on. */
const OVERLAPS = 100_000;
const MOST_TURNS = 10_000_000;
/** Every 30 turns the upper half changes. */
const STEP_NS = 143_165_577;

interface Shared {
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly gate: Int32Array;
  /** Of all threads: how many turns were begun, and between how many another thread had one. */
  readonly turns: Int32Array;
  readonly overlaps: Int32Array;
}

interface ThreadData extends Shared {
  readonly scratchByte: number;
}

/**
 * Every turn asks with more than any before it, of any thread; so threads are in each other's way all the time.
 *
 * @returns in how many turns it was given less than it asked with, or than it was given before
 */
function takeTurns({ memory, module, gate, turns, overlaps, scratchByte }: ThreadData): number {
  const guard = new WasmProtocol(module, memory, scratchByte);
  let [wrong, last, before] = [0, 0, -1];
  // All start together.
  Atomics.add(gate, 0, 1);
  Atomics.notify(gate, 0);
  for (let here = Atomics.load(gate, 0); here < THREADS; here = Atomics.load(gate, 0)) Atomics.wait(gate, 0, here);
  for (let turn = 0; turn < MOST_TURNS && Atomics.load(overlaps, 0) < OVERLAPS; turn++) {
    const number = Atomics.add(turns, 0, 1);
    const asked = number * STEP_NS;
    const given = guard.raiseLastValue(LAST_VALUE_WORD, asked);
    const later = guard.raiseLastValue(LAST_VALUE_WORD, 0);
    if (given < asked || given < last || later < given) wrong++;
    if (number !== before + 1) Atomics.add(overlaps, 0, 1);
    last = later;
    before = number;
  }
  return wrong;
}

function outcomeOf(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
}

if (isMainThread) {
  test("another CPU's raise before any access: nobody is given less than was known before, and all raises count", async () => {
    assertGuards(await clockModel(CLOCK_SOURCE));
  });

  test("a turn that was lost to another CPU goes on from that one's value, and with no load", async () => {
    const guard = new ModelledGuard(await clockModel(CLOCK_SOURCE));
    for (const read of Object.values(READINGS)) {
      const beside = (asked: number, others: readonly number[]) => raced(guard, read, { known: 5, asked, others });
      assert.deepEqual(beside(4, []), { given: 5, left: 5, accesses: 1 });
      assert.deepEqual(beside(9, []), { given: 9, left: 9, accesses: 2 });
      assert.deepEqual(beside(6, [0, 7]), { given: 7, left: 7, accesses: 2 });
      assert.deepEqual(beside(9, [0, 7]), { given: 9, left: 9, accesses: 3 });
      assert.deepEqual(beside(9, [0, 7, 8]), { given: 9, left: 9, accesses: 4 });
      assert.deepEqual(beside(9, [0, 7, 10]), { given: 10, left: 10, accesses: 3 });
    }
  });

  for (const mutant of GUARD_MUTANTS) {
    test(`that a guard is broken is found: ${mutant.name}`, async () => {
      const module = await clockModel(mutated(CLOCK_SOURCE, mutant));
      assert.throws(() => assertGuards(module), { message: mutant.problem });
    });
  }

  test("two threads: nobody is given less than was given out before", async (t) => {
    const { memory, scratchByte } = wasmMemory(RAM_WORDS * 4, THREADS + 1);
    const shared: Shared = {
      memory,
      module: loadProtocolModule(),
      gate: sharedWords(1),
      turns: sharedWords(1),
      overlaps: sharedWords(1),
    };
    const workers = Array.from({ length: THREADS }, (_, thread) => {
      const data: ThreadData = { ...shared, scratchByte: scratchByte + thread * SCRATCH_BYTES };
      return new Worker(__filename, { workerData: data });
    });
    const wrong = await Promise.all(workers.map(outcomeOf)).finally(() =>
      Promise.all(workers.map((worker) => worker.terminate())),
    );
    assert.deepEqual(wrong, [0, 0]);
    const own = new WasmProtocol(shared.module, memory, scratchByte + THREADS * SCRATCH_BYTES);
    const largest = (shared.turns[0] - 1) * STEP_NS;
    assert.equal(own.raiseLastValue(LAST_VALUE_WORD, 0), largest, "the largest that any of them asked with");
    if (shared.overlaps[0] < OVERLAPS) {
      t.skip(`the threads hardly met: ${shared.overlaps[0]} times in ${shared.turns[0]} turns`);
    }
  });
} else {
  parentPort?.postMessage(takeTurns(workerData as ThreadData));
}
