import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PageLocation, PageReader } from "../src/guest/page-reader.js";
import { StealClock } from "../src/guest/steal-clock.js";
import { PAGE_WORDS, PAGE_WORDS_NS } from "../src/shared/pvclock-page.js";
import { intrudeAt } from "./fixtures/atomics-spy.js";
import { type PvclockStruct, putPvclock, sharedWords } from "./fixtures/pvclock-struct.js";

const RUNS = { seed: 20100830, numRuns: 1_000 };
const BASE = 16;
const PAGE: PageLocation = { base: BASE, audit: null };
const FLAG_STEAL_MS = 0b0100;
const FLAG_STEAL_NS = 0b1000;
const NS_PER_MS = 1_000_000;

const BLANK: PvclockStruct = {
  version: 2,
  stealMs: 0,
  tscTimestamp: 0n,
  systemTimeNs: 0n,
  tscToSystemMul: 2 ** 31,
  tscShift: 0,
  flags: FLAG_STEAL_MS,
};

/** A guest's steal clock over a page whose bytes the test writes as it likes. */
function machine(nanoseconds: boolean) {
  const ram = sharedWords(64);
  let version = 0;
  const put = (fields: Partial<PvclockStruct>): void => {
    version += 2;
    putPvclock(ram, BASE, { ...BLANK, flags: nanoseconds ? 0b1100 : 0b0100, version, ...fields });
  };
  const reader = new PageReader(ram, nanoseconds ? PAGE_WORDS_NS : PAGE_WORDS);
  return { ram, put, reader, clock: new StealClock(reader, PAGE, nanoseconds) };
}

const msMachine = () => machine(false);
const nsMachine = () => machine(true);

test("counts from what the page holds when it is enabled, and hands out each difference once", () => {
  const { clock, put } = msMachine();
  put({ stealMs: 1_000 });
  assert.equal(clock.takeNs(), 0, "not enabled yet");
  clock.enable();
  assert.equal(clock.active, true);
  assert.equal(clock.takeNs(), 0);
  put({ stealMs: 1_003 });
  assert.equal(clock.takeNs(), 3 * NS_PER_MS);
  assert.equal(clock.takeNs(), 0);
  put({ stealMs: 1_010 });
  assert.equal(clock.takeNs(), 7 * NS_PER_MS);
  assert.equal(clock.takenNs, 10 * NS_PER_MS);
  assert.deepEqual(clock.stretches, [{ base: BASE, firstVersion: 2, lastVersion: 6, takenNs: 10 * NS_PER_MS }]);
});

test("differences of the ms field are taken modulo 2^32, across any wrap", () => {
  const anyStealMs = fc.oneof(fc.nat({ max: 0xffff_ffff }), fc.constantFrom(0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff));
  fc.assert(
    fc.property(anyStealMs, anyStealMs, (before, stolenMs) => {
      const { clock, put } = msMachine();
      put({ stealMs: before });
      clock.enable();
      put({ stealMs: (before + stolenMs) % 2 ** 32 });
      assert.equal(clock.takeNs(), stolenMs * NS_PER_MS);
      assert.equal(clock.takeNs(), 0);
    }),
    RUNS,
  );
});

test("differences of the ns field are exact below 2^53, and no wrap of a lower half shows", () => {
  const safe = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER));
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), safe, (before, stolenNs) => {
      const { clock, put } = nsMachine();
      put({ stealNs: before });
      clock.enable();
      put({ stealNs: (before + BigInt(stolenNs)) % (1n << 64n) });
      assert.equal(clock.takeNs(), stolenNs);
      assert.equal(clock.takenNs, stolenNs);
    }),
    RUNS,
  );
});

test("each unit reads its own field and looks at its own flag", () => {
  const ms = msMachine();
  ms.put({ stealMs: 1, stealNs: 1n, flags: FLAG_STEAL_MS });
  ms.clock.enable();
  ms.put({ stealMs: 3, stealNs: 77n, flags: FLAG_STEAL_MS });
  assert.equal(ms.clock.takeNs(), 2 * NS_PER_MS);
  ms.put({ stealMs: 9, stealNs: 99n, flags: FLAG_STEAL_NS });
  assert.equal(ms.clock.takeNs(), 0);
  assert.equal(ms.clock.active, false);

  const ns = nsMachine();
  ns.put({ stealMs: 1, stealNs: 1n, flags: FLAG_STEAL_NS });
  ns.clock.enable();
  ns.put({ stealMs: 77, stealNs: 3n, flags: FLAG_STEAL_NS });
  assert.equal(ns.clock.takeNs(), 2);
  ns.put({ stealMs: 99, stealNs: 9n, flags: FLAG_STEAL_MS });
  assert.equal(ns.clock.takeNs(), 0);
  assert.equal(ns.clock.active, false);
});

test("the flag is checked at every read; when it comes back, the value found is a baseline and not a jump", () => {
  const { clock, put } = msMachine();
  put({ stealMs: 100 });
  clock.enable();
  put({ stealMs: 105 });
  assert.equal(clock.takeNs(), 5 * NS_PER_MS);

  // Moved to a host without the feature: what stands in the field means nothing.
  put({ stealMs: 5_000, flags: 0 });
  assert.equal(clock.takeNs(), 0);
  assert.equal(clock.active, false);
  put({ stealMs: 9_000, flags: 0b0011 });
  assert.equal(clock.takeNs(), 0);
  const before = { base: BASE, firstVersion: 2, lastVersion: 4, takenNs: 5 * NS_PER_MS };
  assert.deepEqual(clock.stretches, [before]);

  put({ stealMs: 20_000 });
  assert.equal(clock.takeNs(), 0);
  assert.equal(clock.active, true);
  assert.deepEqual(clock.stretches, [before, { base: BASE, firstVersion: 10, lastVersion: 10, takenNs: 0 }]);
  put({ stealMs: 20_002 });
  assert.equal(clock.takeNs(), 2 * NS_PER_MS);
  assert.equal(clock.takenNs, 7 * NS_PER_MS);
  assert.deepEqual(clock.stretches, [
    before,
    { base: BASE, firstVersion: 10, lastVersion: 12, takenNs: 2 * NS_PER_MS },
  ]);
});

test("without the flag when it is enabled, it is inactive until the flag comes", () => {
  const { clock, put } = msMachine();
  put({ stealMs: 50, flags: 0 });
  clock.enable();
  assert.equal(clock.active, false);
  put({ stealMs: 60 });
  assert.equal(clock.takeNs(), 0);
  assert.equal(clock.active, true);
  assert.deepEqual(clock.stretches, [{ base: BASE, firstVersion: 4, lastVersion: 4, takenNs: 0 }]);
});

test("a read that gives up takes nothing, and the next one takes all", () => {
  for (const nanoseconds of [false, true]) {
    const { clock, put, ram, reader } = machine(nanoseconds);
    put({ stealMs: 10, stealNs: 10n });
    clock.enable();
    put({ stealMs: 13, stealNs: 13n });
    ram[BASE] |= 1;
    assert.equal(clock.takeNs(), 0);
    assert.equal(reader.gaveUp, 1);
    assert.equal(clock.takenNs, 0);
    // Not the same as a flag that is away: nothing is known, so nothing changes.
    assert.equal(clock.active, true);
    put({ stealMs: 20, stealNs: 20n });
    assert.equal(clock.takeNs(), 10 * (nanoseconds ? 1 : NS_PER_MS));
    assert.deepEqual(clock.stretches, [{ base: BASE, firstVersion: 2, lastVersion: 6, takenNs: clock.takenNs }]);
  }
});

test("an update in the middle of a take belongs to this take or the next, and never to both", () => {
  let takes = 0;
  for (let access = 0; ; access++) {
    const { clock, put } = nsMachine();
    put({ stealNs: 0xffff_fff0n });
    clock.enable();
    let takenNs = 0;
    // Both halves of the value change.
    const update = (): void => put({ stealNs: 0x1_0000_0010n });
    const reached = intrudeAt(access, update, () => {
      takenNs = clock.takeNs();
    });
    if (!reached) break;
    takes++;
    assert.ok(takenNs === 0 || takenNs === 0x20, `took ${takenNs} with the update before access ${access}`);
    assert.equal(takenNs + clock.takeNs(), 0x20);
  }
  assert.ok(takes > PAGE_WORDS_NS);
});

test("disabled it takes nothing; enabled again it starts anew", () => {
  const { clock, put } = msMachine();
  put({ stealMs: 100 });
  clock.enable();
  put({ stealMs: 101 });
  clock.takeNs();
  clock.disable();
  put({ stealMs: 500 });
  assert.equal(clock.takeNs(), 0);
  assert.equal(clock.active, false);
  clock.enable();
  assert.equal(clock.takeNs(), 0);
  put({ stealMs: 504 });
  assert.equal(clock.takeNs(), 4 * NS_PER_MS);
  assert.equal(clock.takenNs, 5 * NS_PER_MS);
});
