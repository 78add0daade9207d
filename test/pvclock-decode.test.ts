import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodePvclock,
  findPvclocks,
  PVCLOCK_BYTES,
  pvclockDoubts,
  pvclockFlagNames,
  slotsOf,
  tscKhzOf,
} from "../src/shared/pvclock-decode.js";
import {
  decodeStealTime,
  findStealTimes,
  preemptedNames,
  stealTimeDoubts,
  stealTimeFlagNames,
} from "../src/shared/steal-time-decode.js";
import { tscRateOf } from "../src/shared/tsc.js";
import { encodePvclock, type PvclockStruct } from "./fixtures/pvclock-struct.js";
import { isLive, load, structOf } from "./fixtures/recordings.js";
import { encodeStealTime, type StealTimeStruct } from "./fixtures/steal-time-struct.js";

/** What a real host wrote for its first guest page. */
const REAL: PvclockStruct = {
  version: 2,
  stealMs: 0,
  tscTimestamp: 2_263_960_353_369n,
  systemTimeNs: 1_831_404n,
  tscToSystemMul: 3_303_823_538,
  tscShift: -1,
  flags: 1,
};

const STEAL: StealTimeStruct = { stealNs: 111_780n, version: 4, flags: 0, preempted: 0 };

/** A dump with structures at offsets, zero elsewhere. */
function dump(bytes: number, parts: Readonly<Record<number, Uint8Array>>): DataView {
  const memory = new Uint8Array(bytes);
  for (const [offset, part] of Object.entries(parts)) memory.set(part, Number(offset));
  return new DataView(memory.buffer);
}

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test("any bytes decode to what was encoded, at any offset", () => {
  const struct = fc.record({
    version: u32,
    stealMs: u32,
    tscTimestamp: u64,
    systemTimeNs: u64,
    tscToSystemMul: u32,
    tscShift: fc.integer({ min: -128, max: 127 }),
    flags: fc.integer({ min: 0, max: 255 }),
    stealNs: u64,
  });
  fc.assert(
    fc.property(struct, fc.integer({ min: 0, max: 100 }), (fields, offset) => {
      const { stealMs, stealNs, ...same } = fields;
      const decoded = decodePvclock(dump(offset + 40, { [offset]: encodePvclock(fields) }), offset);
      const expectedNs = (fields.flags & 8) === 0 ? null : stealNs;
      assert.deepEqual(decoded, { ...same, offset, pad0: stealMs, pad: 0, stealNs: expectedNs });
    }),
  );
});

test("steal in ns is there only as far as the dump is", () => {
  const bytes = encodePvclock({ ...REAL, flags: 12, stealNs: 5n });
  assert.equal(decodePvclock(dump(40, { 0: bytes }), 0).stealNs, 5n);
  assert.equal(decodePvclock(dump(39, { 0: bytes.subarray(0, 39) }), 0).stealNs, null);
  assert.deepEqual(
    findPvclocks(dump(32, { 0: bytes.subarray(0, 32) })).map(({ stealNs }) => stealNs),
    [null],
  );
});

test("the frequency is the one that the multiplier was made of, to the kHz", () => {
  fc.assert(
    fc.property(fc.integer({ min: 100_000, max: 10_000_000 }), (tscKhz) => {
      const { tscToSystemMul, tscShift } = tscRateOf(tscKhz);
      assert.equal(tscKhzOf(tscToSystemMul, tscShift), tscKhz);
    }),
  );
  assert.equal(tscKhzOf(3_303_823_538, -1), 2_599_998);
  // 1 GHz, as a host writes it that does not normalise: one cycle is one ns, two half cycles, ...
  assert.equal(tscKhzOf(2 ** 31, 1), 1_000_000);
  assert.equal(tscKhzOf(2 ** 30, 2), 1_000_000);
  // The nearest: 10^6 * 2^32 / 4294964296 is 1000000.7.
  assert.equal(tscKhzOf(4_294_964_296, 0), 1_000_001);
});

test("there is no frequency in a multiplier of 0, in a shift of more than 31, and beyond what a number holds", () => {
  assert.equal(tscKhzOf(0, 0), null);
  assert.equal(tscKhzOf(2 ** 31, 32), null);
  assert.equal(tscKhzOf(2 ** 31, -32), null);
  assert.equal(tscKhzOf(2 ** 31, 31), 0);
  assert.equal(tscKhzOf(1, -31), null);
});

test("several structures of one page are found, each at a multiple of 64", () => {
  const page = dump(4096, {
    0: encodePvclock(REAL),
    64: encodePvclock({ ...REAL, version: 4, tscTimestamp: 1n }),
    // The last place of the page.
    4032: encodePvclock({ ...REAL, flags: 14, stealMs: 7, stealNs: 7_500_000n }),
    // Not aligned: nobody registers this.
    160: encodePvclock(REAL),
  });
  assert.deepEqual(
    findPvclocks(page).map(({ offset }) => offset),
    [0, 64, 4032],
  );
});

test("slots end where the structure would not fit any more", () => {
  assert.deepEqual(slotsOf(31, PVCLOCK_BYTES), []);
  assert.deepEqual(slotsOf(32, PVCLOCK_BYTES), [0]);
  assert.deepEqual(slotsOf(95, PVCLOCK_BYTES), [0]);
  assert.deepEqual(slotsOf(96, PVCLOCK_BYTES), [0, 64]);
  assert.equal(slotsOf(4096, PVCLOCK_BYTES).length, 64);
});

/** What one byte or field makes of a real page, and why it is none then. */
const NO_PVCLOCK: readonly (readonly [changes: Partial<PvclockStruct>, doubt: RegExp])[] = [
  [{ version: 0 }, /never written/],
  [{ tscToSystemMul: 0 }, /no TSC/],
  [{ tscShift: 32 }, /no TSC/],
  [{ tscShift: -32 }, /no TSC/],
  [{ tscShift: 12 }, /no TSC/],
  [{ tscShift: -8 }, /no TSC/],
  [{ flags: 16 }, /unknown flags/],
  [{ flags: 129 }, /unknown flags/],
  [{ stealMs: 1 }, /padding/],
];

for (const [changes, doubt] of NO_PVCLOCK) {
  test(`no pvclock structure: ${JSON.stringify(changes)}`, () => {
    const view = dump(64, { 0: encodePvclock({ ...REAL, ...changes }) });
    assert.deepEqual(findPvclocks(view), []);
    const doubts = pvclockDoubts(decodePvclock(view, 0));
    assert.equal(doubts.length, 1);
    assert.match(doubts.join(), doubt);
  });
}

test("no pvclock structure: either byte of the padding is set", () => {
  for (const at of [30, 31]) {
    const bytes = encodePvclock(REAL);
    bytes[at] = 1;
    assert.deepEqual(findPvclocks(dump(64, { 0: bytes })), []);
  }
});

test("each known flag, all of them, and the slowest and the fastest TSC are accepted", () => {
  for (const flags of [0, 1, 2, 4, 8, 15]) {
    assert.equal(findPvclocks(dump(64, { 0: encodePvclock({ ...REAL, flags }) })).length, 1);
  }
  for (const tscKhz of [100_000, 10_000_000]) {
    assert.equal(findPvclocks(dump(64, { 0: encodePvclock({ ...REAL, ...tscRateOf(tscKhz) }) })).length, 1);
  }
});

test("a page on which the writer died before it wrote the flags is still found", () => {
  // writePage goes from the low words to the high ones: steal is there, the flags are not.
  const half = { ...REAL, version: 1, stealMs: 1500, tscShift: 0, flags: 0 };
  assert.equal(findPvclocks(dump(64, { 0: encodePvclock(half) })).length, 1);
  assert.equal(findPvclocks(dump(64, { 0: encodePvclock({ ...half, version: 2 }) })).length, 0);
});

test("nothing is found in zeros, in ones, and in a page of KVM's steal time", () => {
  assert.deepEqual(findPvclocks(dump(4096, {})), []);
  assert.deepEqual(findPvclocks(new DataView(new Uint8Array(4096).fill(255).buffer)), []);
  assert.deepEqual(findPvclocks(dump(64, { 0: encodeStealTime(STEAL) })), []);
  assert.deepEqual(findStealTimes(dump(64, { 0: encodePvclock(REAL) })), []);
});

test("flags by name, in the order of their bits", () => {
  assert.deepEqual(pvclockFlagNames(0), []);
  assert.deepEqual(pvclockFlagNames(0b1111), ["TSC_STABLE", "GUEST_STOPPED", "STEAL_MS", "STEAL_NS"]);
  assert.deepEqual(pvclockFlagNames(0b1010_0001), ["TSC_STABLE", "unknown bit 5", "unknown bit 7"]);
  assert.deepEqual(preemptedNames(0b111), ["PREEMPTED", "FLUSH_TLB", "unknown bit 2"]);
  assert.deepEqual(stealTimeFlagNames(2 ** 31 + 1), ["unknown bit 0", "unknown bit 31"]);
});

test("mainline's steal page: any fields decode to what was encoded", () => {
  const struct = fc.record({ stealNs: u64, version: u32, flags: u32, preempted: fc.integer({ min: 0, max: 255 }) });
  fc.assert(
    fc.property(struct, (fields) => {
      const decoded = decodeStealTime(dump(128, { 64: encodeStealTime(fields) }), 64);
      assert.deepEqual(decoded, { ...fields, offset: 64, padBytesSet: 0 });
    }),
  );
});

test("no steal page: version 0, a flag, an unknown bit of preempted, any byte of the padding", () => {
  const doubtsOf = (changes: Partial<StealTimeStruct>) =>
    stealTimeDoubts(decodeStealTime(dump(64, { 0: encodeStealTime({ ...STEAL, ...changes }) }), 0)).join();
  assert.equal(doubtsOf({}), "");
  assert.equal(doubtsOf({ preempted: 3 }), "");
  assert.match(doubtsOf({ version: 0 }), /never written/);
  assert.match(doubtsOf({ flags: 1 }), /unknown flags/);
  assert.match(doubtsOf({ preempted: 4 }), /unknown flags/);
  for (let at = 17; at < 64; at++) {
    const bytes = encodeStealTime(STEAL);
    bytes[at] = 1;
    assert.deepEqual(findStealTimes(dump(64, { 0: bytes })), [], `byte ${at}`);
  }
});

for (const name of ["kvm-pages-alone", "kvm-pages-contention", "kvm-pages-trace-e", "kvm-pages-hotread"]) {
  test(`${name}: every page of a real host is found and decoded, and none before its first entry`, () => {
    const { pages, tscKhz } = load(name);
    for (const row of pages) {
      const struct = structOf(row);
      const view = dump(4096, { 512: encodePvclock(struct) });
      const found = findPvclocks(view);
      if (!isLive(row)) {
        assert.deepEqual(found, []);
        continue;
      }
      const { stealMs, ...same } = struct;
      assert.deepEqual(found, [{ ...same, offset: 512, pad0: stealMs, pad: 0, stealNs: null }]);
      assert.equal(tscKhzOf(found[0].tscToSystemMul, found[0].tscShift), tscKhz);
    }
  });

  test(`${name}: and so is every page of its steal time`, () => {
    for (const { st } of load(name).pages.filter(isLive)) {
      const struct = { stealNs: BigInt(st.steal), version: st.ver, flags: st.flags, preempted: st.preempted };
      const found = findStealTimes(dump(4096, { 64: encodeStealTime(struct) }));
      assert.deepEqual(found, [{ ...struct, offset: 64, padBytesSet: 0 }]);
    }
  });
}
