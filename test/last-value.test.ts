import assert from "node:assert/strict";
import { test } from "node:test";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import fc from "fast-check";
import { LastValue } from "../src/guest/last-value.js";
import { U64 } from "../src/shared/u64.js";
import { accessesOf, intrudeAt, refusePlainAccess, withSpiedAtomics } from "./fixtures/atomics-spy.js";
import { sharedWords } from "./fixtures/pvclock-struct.js";

/** Words of guest RAM: a sequence, a lock, and two copies of a value. */
const SEQUENCE = 0;
const LOCK = 1;
const RAM_WORDS = 8;

/** 4.29 s, where the halves of a 64-bit value change at once. */
const HALF = 2 ** 32;

/** What a CPU is given when it raises the shared value to its own. */
function raise(lastValue: LastValue, ns: number): number {
  const value = new U64().setNumber(ns);
  assert.ok(lastValue.raise(value));
  return value.toNumber();
}

interface TwoCpus {
  readonly ram: Int32Array;
  readonly a: LastValue;
  readonly b: LastValue;
}

function twoCpus(): TwoCpus {
  const ram = sharedWords(RAM_WORDS);
  return { ram, a: new LastValue(ram, 0), b: new LastValue(ram, 0) };
}

if (isMainThread) {
  test("gives out the largest value so far, to any CPU", () => {
    const readings = fc.array(fc.tuple(fc.boolean(), fc.oneof(fc.maxSafeNat(), fc.nat({ max: 10 }))), {
      maxLength: 50,
    });
    fc.assert(
      fc.property(readings, (asked) => {
        const { a, b } = twoCpus();
        let largest = 0;
        for (const [byA, ns] of asked) {
          largest = Math.max(largest, ns);
          assert.equal(raise(byA ? a : b, ns), largest);
        }
      }),
      { seed: 20100830 },
    );
  });

  test("goes through Atomics only, and lets go of the lock", () => {
    const ram = sharedWords(RAM_WORDS);
    const cpu = new LastValue(refusePlainAccess(ram), 0);
    const accesses = accessesOf(() => raise(cpu, HALF + 7));
    assert.ok(accesses.length > 0);
    assert.equal(ram[LOCK], 0);
  });

  test("uses its eight words, and none beside them", () => {
    const ram = sharedWords(24).fill(0x5a5a5a5a);
    ram.fill(0, 8, 16);
    const cpu = new LastValue(ram, 8);
    for (const ns of [1, HALF, HALF * 3 + 1]) raise(cpu, ns);
    assert.ok([...ram.subarray(0, 8), ...ram.subarray(16)].every((word) => word === 0x5a5a5a5a));
  });

  test("another CPU's raise at any access of ours: neither is given less than was known before, and both count", () => {
    // Values on both sides of a change of the upper half: a mix of two of them would be far off.
    const values = [HALF - 1, HALF, HALF + 1, 2 * HALF - 1, 2 * HALF + 5];
    for (const known of values) {
      for (const ours of values) {
        for (const theirs of values) assertInterleaved(known, ours, theirs);
      }
    }
  });

  function assertInterleaved(known: number, ours: number, theirs: number): void {
    for (let access = 0; ; access++) {
      const { a, b } = twoCpus();
      raise(a, known);
      let givenToOther = 0;
      let given = 0;
      const other = (): void => {
        givenToOther = raise(b, theirs);
      };
      const reached = intrudeAt(access, other, () => {
        given = raise(a, ours);
      });
      if (!reached) return;
      const where = `${known}, ${ours} and ${theirs} before access ${access}`;
      // While we hold the lock, the other cannot be given its own: time stands still for it.
      assert.ok([known, ours, theirs].includes(givenToOther) && givenToOther >= known, `${where}: ${givenToOther}`);
      assert.ok([known, ours, theirs].includes(given) && given >= Math.max(known, ours), `${where}: ${given}`);
      assert.ok(raise(b, 0) >= Math.max(given, givenToOther), where);
    }
  }

  test("a holder that died leaves time standing still, for a bounded number of accesses, and never back", () => {
    for (const known of [5, HALF + 5]) {
      for (const asked of [0, known - 1, known, known + 1, known + 3 * HALF]) {
        const { ram, a, b } = twoCpus();
        raise(b, known);
        ram[LOCK] = 1;
        let given = 0;
        const accesses = accessesOf(() => {
          given = raise(a, asked);
        });
        assert.equal(given, known);
        assert.ok(accesses.length <= 10_000, `${accesses.length} accesses`);
      }
    }
  });

  test("a holder that died in the middle of its raise is no harm to the value given out before", () => {
    const steps = accessesOf(() => raise(twoCpus().a, HALF + 5)).length;
    let standingStill = 0;
    for (let survived = 0; survived < steps; survived++) {
      const { ram, a, b } = twoCpus();
      raise(a, HALF - 1);
      const dies = new Error("died");
      let made = 0;
      const dieThere = (): void => {
        if (made++ === survived) throw dies;
      };
      assert.throws(() => withSpiedAtomics(dieThere, () => raise(a, HALF + 5)), dies);
      const given = raise(b, HALF);
      // It died before its lock, with it held before its value counted, or with it held after.
      assert.ok([HALF - 1, HALF, HALF + 5].includes(given), `${survived}: ${given}`);
      assert.ok(raise(b, 0) >= given);
      if (ram[LOCK] === 1) standingStill++;
    }
    assert.ok(standingStill >= 4);
  });

  test("when nothing could be read, it says so and leaves the value alone", () => {
    const { ram, a } = twoCpus();
    const value = new U64().setNumber(42);
    let raised = true;
    // Another CPU moves the sequence on before every access: no look at a copy is ever confirmed.
    withSpiedAtomics(
      () => {
        ram[SEQUENCE]++;
      },
      () => {
        raised = a.raise(value);
      },
    );
    assert.equal(raised, false);
    assert.equal(value.toNumber(), 42);
  });

  test("what is given out after too many tries is a value that was given out, also if the last look was disturbed", () => {
    // The first and the third go into one copy: their halves mixed are 7, or 4 * HALF - 1.
    const values = [HALF - 1, HALF, 3 * HALF + 7];
    // Every try finds the lock taken; while the last try looks, the others raise the value twice.
    const lookOfLastTry = accessesOf(() => {
      const { ram, a } = twoCpus();
      ram[LOCK] = 1;
      raise(a, 9 * HALF);
    }).length;
    for (let fromEnd = 1; fromEnd <= 6; fromEnd++) {
      const { ram, a, b } = twoCpus();
      raise(b, values[0]);
      ram[LOCK] = 1;
      let given = 0;
      const others = (): void => {
        ram[LOCK] = 0;
        for (const ns of values) raise(b, ns);
        ram[LOCK] = 1;
      };
      intrudeAt(lookOfLastTry - fromEnd, others, () => {
        given = raise(a, 9 * HALF);
      });
      assert.ok(values.includes(given), `${given} was never given out (${fromEnd} accesses before the end)`);
    }
  });
}

// --- two real threads ----------------------------------------------------------------------------------------------

const RAISES = 50_000;
/** Every few raises pass a change of the upper half. */
const STEP_NS = 1_431_655_777;

interface Race {
  readonly ram: Int32Array;
  /** The largest value given out so far: what the test knows, kept apart from what it checks. */
  readonly largest: BigInt64Array;
  readonly gate: Int32Array;
  readonly cpu: number;
}

function noteGiven(largest: BigInt64Array, given: bigint): void {
  for (let seen = Atomics.load(largest, 0); seen < given; ) {
    const found = Atomics.compareExchange(largest, 0, seen, given);
    if (found === seen) return;
    seen = found;
  }
}

/** @returns how often a value was less than one that had been given out before it was asked for */
function raceForLargest({ ram, largest, gate, cpu }: Race): number {
  const lastValue = new LastValue(ram, 0);
  const value = new U64();
  let stepsBack = 0;
  // Both start together.
  Atomics.add(gate, 0, 1);
  Atomics.notify(gate, 0);
  Atomics.wait(gate, 0, 1);
  for (let turn = 0; turn < RAISES; turn++) {
    const before = Atomics.load(largest, 0);
    // Odd turns ask for less than the other CPU may have been given, as a page with another anchor does.
    value.setNumber((turn - (turn & 1) * 3 + 4) * STEP_NS + cpu);
    if (!lastValue.raise(value)) continue;
    const given = value.toBigInt();
    if (given < before) stepsBack++;
    noteGiven(largest, given);
  }
  return stepsBack;
}

if (isMainThread) {
  test("two threads: nobody is given less than was given out before", async () => {
    const largest = new BigInt64Array(new SharedArrayBuffer(8));
    const shared = { ram: sharedWords(RAM_WORDS), largest, gate: sharedWords(1) };
    const workers = [0, 1].map((cpu) => new Worker(__filename, { workerData: { ...shared, cpu } }));
    const stepsBack = await Promise.all(
      workers.map(
        (worker) =>
          new Promise<number>((resolve, reject) => {
            worker.once("message", resolve);
            worker.once("error", reject);
          }),
      ),
    ).finally(() => Promise.all(workers.map((worker) => worker.terminate())));
    assert.deepEqual(stepsBack, [0, 0]);
    // Nothing was made up either: the largest given out is the largest asked for, or one that stood still before it.
    const largestAsked = BigInt((RAISES + 3) * STEP_NS + 1);
    assert.ok(largest[0] > 0n && largest[0] <= largestAsked, `${largest[0]}`);
  });
} else {
  parentPort?.postMessage(raceForLargest(workerData as Race));
}
