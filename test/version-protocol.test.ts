import assert from "node:assert/strict";
import { test } from "node:test";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { AUDIT_RING_WORDS, AuditRing } from "../src/shared/audit-ring.js";
import { GUEST_STOPPED_MASK, PAGE_WORDS, PAGE_WORDS_NS, SHIFT_AND_FLAGS_WORD } from "../src/shared/pvclock-page.js";
import {
  clearGuestStopped,
  GAVE_UP,
  readPage,
  setGuestStopped,
  versionUnchanged,
  writePage,
} from "../src/shared/version-protocol.js";
import {
  type Access,
  type AtomicOperation,
  accessesOf,
  intrudeAt,
  refusePlainAccess,
  withSpiedAtomics,
} from "./fixtures/atomics-spy.js";
import { sharedWords } from "./fixtures/pvclock-struct.js";

/** Not at the start of RAM, so that a forgotten base shows. */
const BASE = 16;
const RAM_WORDS = 64;
const FLAGS = BASE + SHIFT_AND_FLAGS_WORD;

/** Every word of a payload follows from the version it was written under, so that a mix of two is seen. */
function payloadWord(version: number, word: number): number {
  const mixed = Math.imul(version + Math.imul(word, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) & ~(word === SHIFT_AND_FLAGS_WORD ? GUEST_STOPPED_MASK : 0);
}

function fillPayload(values: Int32Array, version: number): Int32Array {
  for (let word = 1; word < values.length; word++) values[word] = payloadWord(version, word);
  return values;
}

/** Whether accepted words are one update's: their version is even and all of them follow from it. */
function isWhole(words: Int32Array, wordCount: number): boolean {
  if ((words[0] & 1) !== 0) return false;
  for (let word = 1; word < wordCount; word++) {
    if (words[word] !== payloadWord(words[0], word)) return false;
  }
  return true;
}

/** Guest RAM with one page written, at version 2. */
function ramWithPage(wordCount = PAGE_WORDS): Int32Array {
  const ram = sharedWords(RAM_WORDS);
  writePage(ram, BASE, fillPayload(new Int32Array(wordCount), 2), wordCount, null);
  return ram;
}

const sorted = (numbers: number[]): number[] => numbers.toSorted((a, b) => a - b);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
const indexes = (accesses: Access[]): number[] => accesses.map(({ index }) => index);
const isWrite = ({ operation }: Access): boolean => operation !== "load";

interface ReadResult {
  readonly retries: number;
  readonly out: Int32Array;
}

function readWords(ram: Int32Array, wordCount: number, maxRetries: number): ReadResult {
  const out = new Int32Array(wordCount).fill(-1);
  const retries = readPage(ram, BASE, out, wordCount, maxRetries);
  return { retries, out };
}

if (isMainThread) {
  for (const wordCount of [PAGE_WORDS, PAGE_WORDS_NS]) {
    test(`the writer opens before and closes after every access to ${wordCount - 1} words of payload`, () => {
      const ram = refusePlainAccess(sharedWords(RAM_WORDS));
      const values = fillPayload(new Int32Array(wordCount), 2);
      const accesses = accessesOf(() => writePage(ram, BASE, values, wordCount, null));
      const payload = accesses.filter(({ index }) => index !== BASE);
      const opening = accesses.findIndex(isWrite);

      // Before the opening store it may look at the version, and nothing else.
      assert.ok(accesses.slice(0, opening).every(({ index }) => index === BASE));
      assert.deepEqual(accesses[opening], { ...accesses[opening], operation: "store", index: BASE, operand: 1 });
      assert.deepEqual(accesses.at(-1), { ...accesses[opening], operand: 2 });
      assert.deepEqual(accesses.slice(opening + 1, -1), payload);
      assert.deepEqual(sorted(indexes(payload.filter(isWrite))), range(BASE + 1, BASE + wordCount));
      assert.ok(payload.every(({ index }) => index > BASE && index < BASE + wordCount));
    });

    test(`the reader looks at the version, at ${wordCount - 1} words of payload, and at the version again`, () => {
      const ram = ramWithPage(wordCount);
      const out = new Int32Array(wordCount);
      const accesses = accessesOf(() => readPage(refusePlainAccess(ram), BASE, out, wordCount, 0));
      assert.ok(accesses.every(({ operation }) => operation === "load"));
      assert.equal(accesses[0].index, BASE);
      assert.equal(accesses.at(-1)?.index, BASE);
      assert.deepEqual(sorted(indexes(accesses.slice(1, -1))), range(BASE + 1, BASE + wordCount));
      assert.ok(isWhole(out, wordCount));
    });
  }

  test("an update is noted for the audit before it can be accepted", () => {
    const ram = sharedWords(RAM_WORDS);
    const ring = new AuditRing(sharedWords(AUDIT_RING_WORDS), 0);
    const values = fillPayload(new Int32Array(PAGE_WORDS), 2);
    const accesses = accessesOf(() => writePage(ram, BASE, values, PAGE_WORDS, ring));
    const closing = accesses.findLastIndex(({ words, index }) => words === ram && index === BASE);
    const lastNote = accesses.findLastIndex(({ words }) => words !== ram);
    assert.ok(lastNote > 0 && lastNote < closing);
    assert.equal(ring.check(2, values, PAGE_WORDS), "whole");
  });

  test("the opening version is (version + 1) | 1, whatever was found, and is stored once", () => {
    const cases: [found: number, opening: number, closing: number][] = [
      [0, 1, 2],
      [2, 3, 4],
      [0x7fff_fffc, 0x7fff_fffd, 0x7fff_fffe],
      [0x7fff_fffe, 0x7fff_ffff, 0x8000_0000],
      [0x8000_0000, 0x8000_0001, 0x8000_0002],
      [0xffff_fffc, 0xffff_fffd, 0xffff_fffe],
      [0xffff_fffe, 0xffff_ffff, 0],
      // Odd: junk at boot, or a writer that died.
      [1, 3, 4],
      [5, 7, 8],
      [0x7fff_ffff, 0x8000_0001, 0x8000_0002],
      [0xdead_beef, 0xdead_bef1, 0xdead_bef2],
      [0xffff_fffd, 0xffff_ffff, 0],
      [0xffff_ffff, 1, 2],
    ];
    for (const [found, opening, closing] of cases) {
      const ram = sharedWords(RAM_WORDS);
      ram[BASE] = found;
      let returned = 0;
      const accesses = accessesOf(() => {
        returned = writePage(ram, BASE, new Int32Array(PAGE_WORDS), PAGE_WORDS, null);
      });
      const stored = accesses.filter((access) => access.index === BASE && isWrite(access));
      assert.deepEqual(
        stored.map(({ operand }) => operand >>> 0),
        [opening, closing],
        `found ${found.toString(16)}`,
      );
      assert.equal(returned, closing | 0);
      assert.equal(ram[BASE], closing | 0);
    }
  });

  test("a page found odd is odd at every moment until its payload is whole", () => {
    for (const found of [1, 5, -1, 0x7fff_ffff, 0xdead_beef | 0]) {
      const ram = sharedWords(RAM_WORDS).fill(~GUEST_STOPPED_MASK);
      ram[BASE] = found;
      const values = fillPayload(new Int32Array(PAGE_WORDS), 2);
      let steps = 0;
      withSpiedAtomics(
        () => {
          assert.equal(ram[BASE] & 1, 1, `version ${ram[BASE]} before access ${steps}`);
          assert.equal(readWords(ram, PAGE_WORDS, 3).retries, GAVE_UP);
          steps++;
        },
        () => writePage(ram, BASE, values, PAGE_WORDS, null),
      );
      assert.ok(steps > PAGE_WORDS);
      assert.equal(ram[BASE] & 1, 0);
      assert.deepEqual(ram.subarray(BASE + 1, BASE + PAGE_WORDS), values.subarray(1));
    }
  });

  test("words outside the page are left alone", () => {
    const ram = sharedWords(RAM_WORDS).fill(0x5a5a5a5a);
    writePage(ram, BASE, new Int32Array(PAGE_WORDS_NS), PAGE_WORDS, null);
    const outside = [...ram.subarray(0, BASE), ...ram.subarray(BASE + PAGE_WORDS)];
    assert.ok(outside.every((word) => word === 0x5a5a5a5a));
  });

  test("a reader of a page that stays odd gives up after exactly maxRetries + 1 tries, with nothing in its hands", () => {
    for (const maxRetries of [0, 1, 7, 100]) {
      const ram = ramWithPage();
      ram[BASE] = 3;
      let result: ReadResult = { retries: 0, out: new Int32Array() };
      const accesses = accessesOf(() => {
        result = readWords(ram, PAGE_WORDS, maxRetries);
      });
      assert.equal(accesses.length, maxRetries + 1);
      assert.equal(result.retries, GAVE_UP);
      assert.ok(result.out.every((word) => word === 0));
    }
  });

  test("a reader of a page that changes at every try gives up too", () => {
    for (const maxRetries of [0, 1, 7]) {
      const ram = ramWithPage();
      const values = new Int32Array(PAGE_WORDS);
      let looks = 0;
      let result: ReadResult = { retries: 0, out: new Int32Array() };
      withSpiedAtomics(
        ({ index }) => {
          if (index !== BASE) return;
          looks++;
          // Every second look is the one that closes a try.
          if (looks % 2 === 0) writePage(ram, BASE, fillPayload(values, ram[BASE] + 2), PAGE_WORDS, null);
        },
        () => {
          result = readWords(ram, PAGE_WORDS, maxRetries);
        },
      );
      assert.equal(looks, 2 * (maxRetries + 1));
      assert.equal(result.retries, GAVE_UP);
      assert.ok(result.out.every((word) => word === 0));
    }
  });

  test("giving up cannot be taken for a number of retries", () => {
    assert.ok(GAVE_UP < 0);
  });

  test("an update in the middle of a read makes it try again, and then it has the new one, whole", () => {
    const readAccesses = PAGE_WORDS + 1;
    for (let access = 0; access <= readAccesses; access++) {
      const ram = ramWithPage();
      const values = fillPayload(new Int32Array(PAGE_WORDS), 4);
      let result: ReadResult = { retries: 0, out: new Int32Array() };
      const update = (): void => void writePage(ram, BASE, values, PAGE_WORDS, null);
      const reached = intrudeAt(access, update, () => {
        result = readWords(ram, PAGE_WORDS, 1);
      });
      assert.equal(reached, access < readAccesses);
      assert.ok(isWhole(result.out, PAGE_WORDS), `update before access ${access}`);
      // Before the first access the update is no change, and after the last none that this read could see.
      assert.equal(result.retries, access > 0 && reached ? 1 : 0, `update before access ${access}`);
      assert.equal(result.out[0], reached ? 4 : 2);
    }
  });

  test("a section that goes on after the read is closed by looking at the version once more", () => {
    const ram = ramWithPage();
    assert.equal(versionUnchanged(ram, BASE, 2), true);
    ram[BASE] = 3;
    assert.equal(versionUnchanged(ram, BASE, 2), false);
    ram[BASE] = 4;
    assert.equal(versionUnchanged(ram, BASE, 2), false);
    const accesses = accessesOf(() => versionUnchanged(refusePlainAccess(ram), BASE, 2));
    assert.deepEqual(accesses, [{ operation: "load", words: ram, index: BASE, operand: 0 }]);
  });

  // --- every interleaving of two updates and one read -----------------------------------------------------------

  /** Small enough to try all interleavings, large enough to be torn. */
  const SMALL_WORDS = 3;
  const SMALL_RETRIES = 1;

  interface Outcomes {
    torn: number;
    gaveUp: number;
    retried: number;
    readonly accepted: Set<number>;
  }

  /** What two updates of a page at version 2 do to memory, one write after the other. */
  function writesOfTwoUpdates(): Access[] {
    const ram = ramWithPage(SMALL_WORDS);
    const values = new Int32Array(SMALL_WORDS);
    return accessesOf(() => {
      for (const version of [4, 6]) writePage(ram, BASE, fillPayload(values, version), SMALL_WORDS, null);
    }).filter(isWrite);
  }

  function apply({ operation, index, operand }: Access, ram: Int32Array): void {
    const operations: Partial<Record<AtomicOperation, () => void>> = {
      store: () => void Atomics.store(ram, index, operand),
      xor: () => void Atomics.xor(ram, index, operand),
    };
    const run = operations[operation];
    assert.ok(run, `the writer used ${operation}`);
    run();
  }

  /** All ways to have done 0 to `writes` of the writes before each of `looks` looks, never fewer than before. */
  function* schedules(looks: number, writes: number, done = 0): Generator<number[]> {
    if (looks === 0) {
      yield [];
      return;
    }
    for (let next = done; next <= writes; next++) {
      for (const rest of schedules(looks - 1, writes, next)) yield [next, ...rest];
    }
  }

  /** Reads under one schedule: before the reader's access i, the writer has done its first schedule[i] writes. */
  function readUnder(schedule: number[], writes: Access[], outcomes: Outcomes): void {
    const ram = ramWithPage(SMALL_WORDS);
    let look = 0;
    let done = 0;
    const out = new Int32Array(SMALL_WORDS);
    const retries = withSpiedAtomics(
      () => {
        for (; done < schedule[look]; done++) apply(writes[done], ram);
        look++;
      },
      () => readPage(ram, BASE, out, SMALL_WORDS, SMALL_RETRIES),
    );
    if (retries === GAVE_UP) {
      outcomes.gaveUp++;
      assert.ok(out.every((word) => word === 0));
      return;
    }
    if (retries > 0) outcomes.retried++;
    if (!isWhole(out, SMALL_WORDS)) outcomes.torn++;
    outcomes.accepted.add(out[0]);
  }

  function readUnderAllSchedules(writes: Access[]): Outcomes {
    const outcomes: Outcomes = { torn: 0, gaveUp: 0, retried: 0, accepted: new Set() };
    const looks = (SMALL_RETRIES + 1) * (SMALL_WORDS + 1);
    for (const schedule of schedules(looks, writes.length)) readUnder(schedule, writes, outcomes);
    return outcomes;
  }

  test("in every interleaving of two updates and one read, the read is whole or gives up", () => {
    const outcomes = readUnderAllSchedules(writesOfTwoUpdates());
    assert.equal(outcomes.torn, 0);
    // The interleavings are worth their name: some made it try again, some made it give up, and it met all updates.
    assert.ok(outcomes.retried > 0 && outcomes.gaveUp > 0);
    assert.deepEqual(sorted([...outcomes.accepted]), [2, 4, 6]);
  });

  test("the same interleavings see writers tear that leave out or misplace a step", () => {
    const [opening, first, second, closing, ...nextUpdate] = writesOfTwoUpdates();
    const brokenWriters: Record<string, Access[]> = {
      "never odd": [first, second, closing, ...nextUpdate],
      "opens late": [first, opening, second, closing, ...nextUpdate],
      "closes early": [opening, first, closing, second, ...nextUpdate],
    };
    for (const [name, writes] of Object.entries(brokenWriters)) {
      assert.ok(readUnderAllSchedules(writes).torn > 0, name);
    }
  });

  // --- GUEST_STOPPED ---------------------------------------------------------------------------------------------

  test("an update does not bring back GUEST_STOPPED, at whatever moment the guest clears it", () => {
    const values = fillPayload(new Int32Array(PAGE_WORDS), 4);
    // Nor does it set the bit by itself: values are the host's, and the bit is not among what it writes.
    for (const inValues of [0, GUEST_STOPPED_MASK]) {
      values[SHIFT_AND_FLAGS_WORD] = payloadWord(4, SHIFT_AND_FLAGS_WORD) | inValues;
      for (let access = 0; ; access++) {
        const ram = ramWithPage();
        setGuestStopped(ram, BASE);
        let cleared = false;
        const clear = (): void => {
          cleared = clearGuestStopped(ram, BASE);
        };
        if (!intrudeAt(access, clear, () => writePage(ram, BASE, values, PAGE_WORDS, null))) break;
        assert.ok(cleared);
        assert.equal(ram[FLAGS], payloadWord(4, SHIFT_AND_FLAGS_WORD), `cleared before access ${access}`);
      }
    }
  });

  test("an update leaves GUEST_STOPPED as it is until the guest clears it", () => {
    const ram = ramWithPage();
    const values = fillPayload(new Int32Array(PAGE_WORDS), 4);
    writePage(ram, BASE, values, PAGE_WORDS, null);
    assert.equal(ram[FLAGS] & GUEST_STOPPED_MASK, 0);
    setGuestStopped(ram, BASE);
    writePage(ram, BASE, values, PAGE_WORDS, null);
    assert.equal(ram[FLAGS], values[SHIFT_AND_FLAGS_WORD] | GUEST_STOPPED_MASK);
  });

  test("clearing GUEST_STOPPED tells whether it was set, and touches no other bit", () => {
    const ram = ramWithPage();
    const before = [...ram];
    assert.equal(clearGuestStopped(ram, BASE), false);
    assert.deepEqual([...ram], before);
    setGuestStopped(ram, BASE);
    assert.equal(ram[FLAGS], before[FLAGS] | GUEST_STOPPED_MASK);
    assert.equal(clearGuestStopped(ram, BASE), true);
    assert.equal(clearGuestStopped(ram, BASE), false);
    assert.deepEqual([...ram], before);
    // One access each: a load and a store could lose what the other side does in between.
    assert.equal(accessesOf(() => setGuestStopped(ram, BASE)).length, 1);
    assert.equal(accessesOf(() => clearGuestStopped(ram, BASE)).length, 1);
  });
}

// --- two real threads ----------------------------------------------------------------------------------------------
//
// A writer and a reader in a thread each. Racing freely they may never meet on a busy machine, so once in every round
// the writer stops in the middle of an update until the reader has looked: each round has one overlap for certain.

const ROUNDS = 200;
const UPDATES_PER_ROUND = 50;
const READS_PER_ROUND = 5_000;
/** The reader's bound, small: the writer stops with the version odd. */
const RACE_RETRIES = 20;
/** The update stops before this word is written: half of the payload is new. */
const STOP_BEFORE_WORD = 5;

const Gate = { Racing: 0, Stopped: 1 } as const;

interface Race {
  readonly gate: Int32Array;
  readonly ram: Int32Array;
  readonly auditWords: Int32Array;
}

type Role = "reader" | "writer" | "writer that is never odd";

interface ReaderReport {
  accepted: number;
  overlapped: number;
  torn: number;
  tornByAudit: number;
  finalVersion: number;
}

type Update = (ram: Int32Array, version: number, values: Int32Array, audit: AuditRing) => void;

const soundUpdate: Update = (ram, _version, values, audit) => {
  writePage(ram, BASE, values, values.length, audit);
};

const neverOddUpdate: Update = (ram, version, values, audit) => {
  for (let word = 1; word < values.length; word++) Atomics.store(ram, BASE + word, values[word]);
  audit.record(version, values, values.length);
  Atomics.store(ram, BASE, version);
};

function setGate(gate: Int32Array, state: number): void {
  Atomics.store(gate, 0, state);
  Atomics.notify(gate, 0);
}

function runWriter(update: Update, { gate, ram, auditWords }: Race): void {
  const audit = new AuditRing(auditWords, 0);
  const values = new Int32Array(PAGE_WORDS_NS);
  let version = 0;
  const step = (): void => {
    version += 2;
    update(ram, version, fillPayload(values, version), audit);
  };
  const stop = ({ words, index, operation }: Access): void => {
    if (words !== ram || index !== BASE + STOP_BEFORE_WORD || operation === "load") return;
    setGate(gate, Gate.Stopped);
    Atomics.wait(gate, 0, Gate.Stopped);
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (let updates = 1; updates < UPDATES_PER_ROUND; updates++) step();
    withSpiedAtomics(stop, step);
  }
  // The last stop: a quiet page, so that at least one read is accepted.
  setGate(gate, Gate.Stopped);
}

function runReader({ gate, ram, auditWords }: Race): ReaderReport {
  const audit = new AuditRing(auditWords, 0);
  const out = new Int32Array(PAGE_WORDS_NS);
  const report: ReaderReport = { accepted: 0, overlapped: 0, torn: 0, tornByAudit: 0, finalVersion: 0 };
  const look = (): void => {
    const retries = readPage(ram, BASE, out, PAGE_WORDS_NS, RACE_RETRIES);
    if (retries !== 0) report.overlapped++;
    if (retries === GAVE_UP || out[0] === 0) return;
    report.accepted++;
    report.finalVersion = out[0];
    if (!isWhole(out, PAGE_WORDS_NS)) report.torn++;
    if (audit.check(out[0], out, PAGE_WORDS_NS) === "torn") report.tornByAudit++;
  };
  for (let round = 0; round <= ROUNDS; round++) {
    for (let reads = 0; reads < READS_PER_ROUND && Atomics.load(gate, 0) === Gate.Racing; reads++) look();
    Atomics.wait(gate, 0, Gate.Racing);
    look();
    setGate(gate, Gate.Racing);
  }
  return report;
}

/** Runs both threads to their end. A thread that dies takes the other with it: it would wait for ever. */
async function race(writer: Role): Promise<ReaderReport> {
  const shared: Race = {
    gate: sharedWords(1),
    ram: sharedWords(RAM_WORDS),
    auditWords: sharedWords(AUDIT_RING_WORDS),
  };
  const workers = ["reader", writer].map((role) => new Worker(__filename, { workerData: { role, shared } }));
  const [reader] = workers;
  try {
    return await new Promise<ReaderReport>((resolve, reject) => {
      reader.once("message", resolve);
      for (const worker of workers) {
        worker.once("error", reject);
        worker.once("exit", (code) => {
          if (code !== 0) reject(new Error(`a thread ended with ${code}`));
        });
      }
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

if (isMainThread) {
  test("two threads: no read is torn, and in every round one met an update half done", async () => {
    const report = await race("writer");
    assert.equal(report.torn, 0);
    assert.equal(report.tornByAudit, 0);
    assert.ok(report.overlapped >= ROUNDS, `${report.overlapped} overlaps`);
    assert.ok(report.accepted > 0);
    assert.equal(report.finalVersion, 2 * ROUNDS * UPDATES_PER_ROUND);
  });

  test("two threads: a writer that is never odd is seen to tear, by the payload and by the audit", async () => {
    const report = await race("writer that is never odd");
    assert.ok(report.torn >= ROUNDS, `${report.torn} torn`);
    assert.ok(report.tornByAudit >= ROUNDS, `${report.tornByAudit} torn by the audit`);
  });
} else {
  const { role, shared } = workerData as { role: Role; shared: Race };
  if (role === "reader") parentPort?.postMessage(runReader(shared));
  else runWriter(role === "writer" ? soundUpdate : neverOddUpdate, shared);
}
