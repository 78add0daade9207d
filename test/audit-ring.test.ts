import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AUDIT_RING_WORDS, AUDIT_SLOTS, AuditRing } from "../src/shared/audit-ring.js";
import { GUEST_STOPPED_MASK, PAGE_WORDS, PAGE_WORDS_NS, SHIFT_AND_FLAGS_WORD } from "../src/shared/pvclock-page.js";
import { intrudeAt } from "./fixtures/atomics-spy.js";
import { sharedWords } from "./fixtures/pvclock-struct.js";

const RUNS = { seed: 20100830, numRuns: 1_000 };
/** As many updates back as the ring remembers, each with its own version. */
const REMEMBERED = AUDIT_SLOTS;

const anyWord = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const anyValues = fc
  .array(anyWord, { minLength: PAGE_WORDS_NS, maxLength: PAGE_WORDS_NS })
  .map((words) => Int32Array.from(words));
/** Even, as every version is that closes an update; not 0, which no page comes to before it wraps. */
const anyVersion = anyWord.map((word) => (word & ~1) | 2);

function newRing(): AuditRing {
  return new AuditRing(sharedWords(AUDIT_RING_WORDS), 0);
}

test("what was recorded is whole, and one changed bit in any word is torn", () => {
  fc.assert(
    fc.property(anyVersion, anyValues, fc.nat({ max: 31 }), (version, values, bit) => {
      const ring = newRing();
      ring.record(version, values, PAGE_WORDS_NS);
      assert.equal(ring.check(version, values, PAGE_WORDS_NS), "whole");
      for (let word = 1; word < PAGE_WORDS_NS; word++) {
        const flipped = 1 << bit;
        if (word === SHIFT_AND_FLAGS_WORD && flipped === GUEST_STOPPED_MASK) continue;
        const torn = Int32Array.from(values);
        torn[word] ^= flipped;
        assert.equal(ring.check(version, torn, PAGE_WORDS_NS), "torn", `bit ${bit} of word ${word}`);
      }
    }),
    RUNS,
  );
});

test("words of two updates mixed at any point are torn", () => {
  fc.assert(
    fc.property(
      anyVersion,
      anyValues,
      anyValues,
      fc.integer({ min: 2, max: PAGE_WORDS - 1 }),
      (version, a, b, from) => {
        const mixed = Int32Array.from(a.map((word, index) => (index < from ? word : b[index])));
        // Word 7 is always the other update's: they must differ there by more than the bit that is left out.
        fc.pre(((mixed[SHIFT_AND_FLAGS_WORD] ^ a[SHIFT_AND_FLAGS_WORD]) & ~GUEST_STOPPED_MASK) !== 0);
        const ring = newRing();
        ring.record(version, a, PAGE_WORDS);
        assert.equal(ring.check(version, mixed, PAGE_WORDS), "torn");
      },
    ),
    RUNS,
  );
});

test("two words whose changes would cancel in a sum are torn, and so are swapped ones: the order counts", () => {
  fc.assert(
    fc.property(anyVersion, anyValues, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 100 }), (...given) => {
      const [version, values, word, change] = given;
      const ring = newRing();
      ring.record(version, values, PAGE_WORDS);
      const cancelling = Int32Array.from(values);
      cancelling[word] += change;
      cancelling[word + 1] -= change;
      assert.equal(ring.check(version, cancelling, PAGE_WORDS), "torn");
      fc.pre(values[word] !== values[word + 1]);
      const swapped = Int32Array.from(values);
      [swapped[word], swapped[word + 1]] = [values[word + 1], values[word]];
      assert.equal(ring.check(version, swapped, PAGE_WORDS), "torn");
    }),
    RUNS,
  );
});

test("GUEST_STOPPED is the guest's and no part of what is audited, and neither is the version word", () => {
  const ring = newRing();
  const values = Int32Array.from([0, 1, 2, 3, 4, 5, 6, 7]);
  ring.record(2, values, PAGE_WORDS);
  values[SHIFT_AND_FLAGS_WORD] |= GUEST_STOPPED_MASK;
  values[0] = 2;
  assert.equal(ring.check(2, values, PAGE_WORDS), "whole");
  // The other flag bits are.
  values[SHIFT_AND_FLAGS_WORD] ^= GUEST_STOPPED_MASK << 1;
  assert.equal(ring.check(2, values, PAGE_WORDS), "torn");
});

test("words behind the page are no part of it", () => {
  const ring = newRing();
  const values = Int32Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  ring.record(2, values, PAGE_WORDS);
  values[PAGE_WORDS] = 99;
  assert.equal(ring.check(2, values, PAGE_WORDS), "whole");
});

test("a reader and a host of different width compare the words that both have", () => {
  fc.assert(
    fc.property(anyVersion, anyValues, fc.integer({ min: 1, max: PAGE_WORDS_NS - 1 }), (version, values, word) => {
      const torn = Int32Array.from(values);
      torn[word] ^= 2;
      const verdict = word < PAGE_WORDS ? "torn" : "whole";
      for (const [written, read] of [
        [PAGE_WORDS, PAGE_WORDS_NS],
        [PAGE_WORDS_NS, PAGE_WORDS],
      ]) {
        const ring = newRing();
        // What stood in the slot before has no say.
        ring.record(version + 2 * REMEMBERED, torn, PAGE_WORDS_NS);
        ring.record(version, values, written);
        assert.equal(ring.check(version, values, read), "whole");
        const skipped = word === SHIFT_AND_FLAGS_WORD;
        if (!skipped) assert.equal(ring.check(version, torn, read), verdict, `word ${word}`);
      }
    }),
    RUNS,
  );
});

test("an update is remembered until its slot is used again; from then on it is unaudited, never torn", () => {
  const ring = newRing();
  const valuesOf = (version: number): Int32Array => new Int32Array(PAGE_WORDS).fill(version);
  const last = 10 * REMEMBERED;
  for (let version = 2; version <= last; version += 2) ring.record(version, valuesOf(version), PAGE_WORDS);
  for (let version = 2; version <= last + 4; version += 2) {
    const remembered = version > last - 2 * REMEMBERED && version <= last;
    assert.equal(ring.check(version, valuesOf(version), PAGE_WORDS), remembered ? "whole" : "unaudited", `${version}`);
  }
});

test("versions go on across their wrap", () => {
  const ring = newRing();
  const values = new Int32Array(PAGE_WORDS).fill(7);
  for (const version of [0x7fff_fffe, 0x8000_0000 | 0, -2, 0, 2]) {
    ring.record(version, values, PAGE_WORDS);
    assert.equal(ring.check(version, values, PAGE_WORDS), "whole", `${version}`);
  }
});

test("an update that was never recorded is unaudited, whatever its version", () => {
  for (const version of [0, 2, 4, 2 * REMEMBERED, -2]) {
    assert.equal(newRing().check(version, new Int32Array(PAGE_WORDS), PAGE_WORDS), "unaudited", `version ${version}`);
  }
});

test("a slot that is reused while a reader looks at it is unaudited, at whatever access", () => {
  const older = new Int32Array(PAGE_WORDS).fill(1);
  const newer = new Int32Array(PAGE_WORDS).fill(2);
  const verdicts: string[] = [];
  for (let access = 0; ; access++) {
    const ring = newRing();
    ring.record(2, older, PAGE_WORDS);
    let verdict = "";
    const reuse = (): void => ring.record(2 + 2 * REMEMBERED, newer, PAGE_WORDS);
    const reached = intrudeAt(access, reuse, () => {
      verdict = ring.check(2, older, PAGE_WORDS);
    });
    if (!reached) break;
    verdicts.push(verdict);
  }
  assert.ok(verdicts.length >= 2);
  assert.ok(
    verdicts.every((verdict) => verdict === "unaudited"),
    verdicts.join(),
  );
});

test("a reader in the middle of a record sees the old update as whole or as unaudited, and never a torn one", () => {
  const older = new Int32Array(PAGE_WORDS).fill(1);
  const newer = new Int32Array(PAGE_WORDS).fill(2);
  const verdicts: string[] = [];
  for (let access = 0; ; access++) {
    const ring = newRing();
    ring.record(2, older, PAGE_WORDS);
    const look = (): void => {
      verdicts.push(ring.check(2, older, PAGE_WORDS));
      assert.equal(ring.check(2 + 2 * REMEMBERED, newer, PAGE_WORDS), "unaudited");
    };
    if (!intrudeAt(access, look, () => ring.record(2 + 2 * REMEMBERED, newer, PAGE_WORDS))) break;
  }
  assert.equal(verdicts[0], "whole");
  assert.ok(
    verdicts.slice(1).every((verdict) => verdict === "unaudited"),
    verdicts.join(),
  );
});
