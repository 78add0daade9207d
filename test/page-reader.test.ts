import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CpuState } from "../src/guest/cpu-state.js";
import { MAX_READ_RETRIES, type PageLocation, PageReader } from "../src/guest/page-reader.js";
import { AUDIT_RING_WORDS, AUDIT_SLOTS, AuditRing } from "../src/shared/audit-ring.js";
import { PAGE_WORDS, PAGE_WORDS_NS } from "../src/shared/pvclock-page.js";
import { writePage } from "../src/shared/version-protocol.js";
import { intrudeAt } from "./fixtures/atomics-spy.js";
import { sharedWords } from "./fixtures/pvclock-struct.js";

const BASE = 16;
/** One read in this many is audited. */
const AUDIT_INTERVAL = 8;

/** A page under a host that audits its updates, and a guest's reader of it. */
function machine(wordCount = PAGE_WORDS, auditsEveryRead = false) {
  const ram = sharedWords(64);
  const audit = new AuditRing(sharedWords(AUDIT_RING_WORDS), 0);
  const values = new Int32Array(PAGE_WORDS_NS);
  const update = (fill: number): void => {
    writePage(ram, BASE, values.fill(fill), wordCount, audit);
  };
  const page: PageLocation = { base: BASE, audit };
  const reader = new PageReader(ram, wordCount, new CpuState(), auditsEveryRead);
  update(7);
  return { ram, update, page, reader };
}

/** Reads once, with an update in the middle: before the read's third access. */
function readOverlapped(reader: PageReader, page: PageLocation, update: () => void): boolean {
  let consistent = false;
  const reached = intrudeAt(2, update, () => {
    consistent = reader.read(page);
  });
  assert.ok(reached);
  return consistent;
}

function countsOf({ consistent, overlapped, retries, maxRetries, gaveUp, audited, unaudited, torn }: PageReader) {
  return { consistent, overlapped, retries, maxRetries, gaveUp, audited, unaudited, torn };
}
const NOTHING = {
  consistent: 0,
  overlapped: 0,
  retries: 0,
  maxRetries: 0,
  gaveUp: 0,
  audited: 0,
  unaudited: 0,
  torn: 0,
};

test("a read hands out the words of the update that it accepted", () => {
  for (const wordCount of [PAGE_WORDS, PAGE_WORDS_NS]) {
    const { page, reader, update } = machine(wordCount);
    assert.equal(reader.read(page), true);
    assert.deepEqual([...reader.words.subarray(0, wordCount)], [2, ...new Array(wordCount - 1).fill(7)]);
    assert.ok(readOverlapped(reader, page, () => update(8)));
    assert.deepEqual([...reader.words.subarray(0, wordCount)], [4, ...new Array(wordCount - 1).fill(8)]);
  }
});

test("one undisturbed read in eight is audited", () => {
  const { page, reader } = machine();
  for (let reads = 1; reads <= 5 * AUDIT_INTERVAL; reads++) {
    reader.read(page);
    assert.deepEqual(countsOf(reader), { ...NOTHING, consistent: reads, audited: Math.floor(reads / AUDIT_INTERVAL) });
  }
});

test("every read that had to try again is counted and audited", () => {
  const { page, reader, update } = machine();
  for (let reads = 1; reads <= 5; reads++) {
    assert.ok(readOverlapped(reader, page, () => update(reads)));
    const expected = { consistent: reads, overlapped: reads, retries: reads, maxRetries: 1, audited: reads };
    assert.deepEqual(countsOf(reader), { ...NOTHING, ...expected });
  }
});

test("a page that stays odd is given up on, and its words cannot be taken for a page", () => {
  const { page, ram, reader, update } = machine();
  assert.ok(reader.read(page));
  ram[BASE]++;
  assert.equal(reader.read(page), false);
  assert.ok(reader.words.every((word) => word === 0));
  const gaveUp = { overlapped: 1, retries: MAX_READ_RETRIES, maxRetries: MAX_READ_RETRIES, gaveUp: 1 };
  assert.deepEqual(countsOf(reader), { ...NOTHING, consistent: 1, ...gaveUp });

  // The next update ends it.
  update(9);
  assert.equal(reader.read(page), true);
  assert.deepEqual(countsOf(reader), { ...NOTHING, consistent: 2, ...gaveUp });
});

test("a torn update is counted, once for each read that was audited", () => {
  const { page, ram, reader } = machine();
  // A word changes under an even version: what a broken protocol would let through.
  ram[BASE + 3] ^= 1;
  for (let reads = 0; reads < 2 * AUDIT_INTERVAL; reads++) assert.equal(reader.read(page), true);
  assert.deepEqual(countsOf(reader), { ...NOTHING, consistent: 2 * AUDIT_INTERVAL, audited: 2, torn: 2 });
});

test("without an audit, or with the update's slot reused, nothing counts as audited", () => {
  const { page, ram, reader, update } = machine();
  for (let reads = 0; reads < AUDIT_INTERVAL; reads++) reader.read({ base: BASE, audit: null });
  assert.equal(reader.audited, 0);

  // The page as it was, while the host has gone on for a whole round of the ring.
  const older = Int32Array.from(ram);
  for (let updates = 0; updates < AUDIT_SLOTS; updates++) update(updates);
  ram.set(older);
  for (let reads = 0; reads < AUDIT_INTERVAL; reads++) reader.read(page);
  assert.deepEqual(countsOf(reader), { ...NOTHING, consistent: 2 * AUDIT_INTERVAL, unaudited: 1 });
});

describe("a reader that audits every read", () => {
  test("does so, whether the read had to try again or not", () => {
    const { page, reader, update } = machine(PAGE_WORDS, true);
    for (let reads = 1; reads <= 3 * AUDIT_INTERVAL; reads++) {
      reader.read(page);
      assert.deepEqual(countsOf(reader), { ...NOTHING, consistent: reads, audited: reads });
    }
    assert.ok(readOverlapped(reader, page, () => update(8)));
    const reads = 3 * AUDIT_INTERVAL + 1;
    const overlapped = { overlapped: 1, retries: 1, maxRetries: 1 };
    assert.deepEqual(countsOf(reader), { ...NOTHING, consistent: reads, audited: reads, ...overlapped });
    assert.equal(reader.auditedOverlapped, 1);
  });

  test("finds the one read that was torn, where a sample misses it", () => {
    for (const [auditsEveryRead, torn] of [
      [true, 1],
      [false, 0],
    ] as const) {
      const { page, ram, reader } = machine(PAGE_WORDS, auditsEveryRead);
      for (let reads = 0; reads < 2 * AUDIT_INTERVAL; reads++) {
        const tears = reads === 2 ? 1 : 0;
        ram[BASE + 3] ^= tears;
        reader.read(page);
        ram[BASE + 3] ^= tears;
      }
      assert.equal(reader.torn, torn);
    }
  });

  test("counts each read whose update's slot was reused", () => {
    const { page, ram, reader, update } = machine(PAGE_WORDS, true);
    const older = Int32Array.from(ram);
    for (let updates = 0; updates < AUDIT_SLOTS; updates++) update(updates);
    reader.read(page);
    ram.set(older);
    for (let reads = 0; reads < 5; reads++) reader.read(page);
    assert.deepEqual(countsOf(reader), { ...NOTHING, consistent: 6, audited: 1, unaudited: 5 });
  });
});
