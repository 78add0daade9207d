import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type PublisherConfig, PvclockPublisher } from "../src/host/pvclock-publisher.js";
import {
  FLAG_GUEST_STOPPED,
  FLAG_STEAL_MS,
  FLAG_STEAL_NS,
  FLAG_TSC_STABLE,
  flagsOf,
  PAGE_WORDS,
  PAGE_WORDS_NS,
  packShiftAndFlags,
  tscShiftOf,
} from "../src/shared/pvclock-page.js";
import { Tsc, tscRateOf } from "../src/shared/tsc.js";
import { MAX_TIME_NS } from "../src/shared/units.js";
import { encodePvclock, type PvclockStruct, sharedWords } from "./fixtures/pvclock-struct.js";

const RUNS = { seed: 20100830, numRuns: 2_000 };
const RAM_BYTES = 2 * 4096;

const anyNs = fc.oneof(
  fc.integer({ min: 0, max: MAX_TIME_NS }),
  fc.integer({ min: 0, max: 10_000_000 }),
  // A rounded division by 10^6 would go wrong just below a whole millisecond, and at this size first.
  fc.integer({ min: 8_600_000_000, max: MAX_TIME_NS / 1_000_000 - 1 }).map((ms) => ms * 1_000_000 - 1),
  fc.constantFrom(2 ** 32, 2 ** 32 - 1, 2 ** 32 * 1_000_000, 2 ** 32 * 1_000_000 - 1, MAX_TIME_NS),
);
const anySteal = fc.constantFrom("none", "ms", "ns");
const anyAddress = fc.integer({ min: 0, max: RAM_BYTES / 64 - 1 }).map((line) => line * 64);
const anyJunk = fc.uint8Array({ minLength: RAM_BYTES, maxLength: RAM_BYTES });

function publisherOver(ram: Int32Array, config: Partial<PublisherConfig>): PvclockPublisher {
  return new PvclockPublisher(
    ram,
    1,
    {
      policy: "entry",
      offersSteal: true,
      nanoseconds: false,
      tsc: new Tsc(2_599_998),
      stealAtStartNs: 0,
      measuredNs: () => 0,
      auditOf: () => null,
      ...config,
    },
    [],
  );
}

/** The version that an update ends with, from the one found: the next odd number, then the next even one. */
function nextVersion(found: number): number {
  return ((((found + 1) | 1) >>> 0) + 1) >>> 0;
}

test("an update is, byte by byte, the C structure, and touches nothing else in guest RAM", () => {
  const anyUpdate = fc.record({
    junk: anyJunk,
    address: anyAddress,
    steal: anySteal,
    tscKhz: fc.integer({ min: 100_000, max: 10_000_000 }),
    nowNs: anyNs,
    baselineNs: fc.integer({ min: 0, max: 1_000_000 }),
    stealNs: anyNs,
  });
  fc.assert(
    fc.property(anyUpdate, ({ junk, address, steal, tscKhz, nowNs, baselineNs, stealNs }) => {
      const ram = sharedWords(RAM_BYTES / 4);
      const bytes = new Uint8Array(ram.buffer);
      bytes.set(junk);
      let measuredNs = baselineNs;
      const publisher = publisherOver(ram, {
        offersSteal: steal !== "none",
        nanoseconds: steal === "ns",
        tsc: new Tsc(tscKhz),
        measuredNs: () => measuredNs,
      });

      publisher.register(0, address / 4, 0);
      measuredNs += stealNs;
      publisher.publish(0, nowNs);

      const found = new DataView(junk.buffer, junk.byteOffset).getUint32(address, true);
      const stoppedBefore = junk[address + 29] & 0b10;
      const rate = tscRateOf(tscKhz);
      const expected: PvclockStruct = {
        version: nextVersion(nextVersion(found)),
        stealMs: steal === "none" ? 0 : Number((BigInt(stealNs) / 1_000_000n) & 0xffff_ffffn),
        tscTimestamp: (BigInt(nowNs) * BigInt(tscKhz)) / 1_000_000n,
        systemTimeNs: BigInt(nowNs),
        tscToSystemMul: rate.tscToSystemMul,
        tscShift: rate.tscShift,
        flags: stoppedBefore | { none: 0, ms: 0b0100, ns: 0b1100 }[steal],
        ...(steal === "ns" ? { stealNs: BigInt(stealNs) } : {}),
      };
      const expectedRam = Uint8Array.from(junk);
      expectedRam.set(encodePvclock(expected), address);
      // Buffer.compare is fast; the assertion below is there for its message.
      if (Buffer.compare(bytes, expectedRam) !== 0) assert.deepEqual(bytes, expectedRam);
    }),
    RUNS,
  );
});

test("the bytes of one update, worked out by hand for a TSC of 2,599.998 MHz after a millisecond", () => {
  const ram = sharedWords(RAM_BYTES / 4);
  const publisher = publisherOver(ram, { measuredNs: () => 0 });
  publisher.register(0, 16, 1_000_000);
  const bytes = Buffer.from(ram.buffer).subarray(64, 96);
  // 2,599,998 cycles are 0x27ac3e, a million ns 0xf4240, the multiplier 3,303,823,538 is 0xc4ec58b2.
  const expected = "02000000 00000000 3eac270000000000 40420f0000000000 b258ecc4 ff 04 0000";
  assert.equal(bytes.toString("hex"), expected.replaceAll(" ", ""));
});

test("the running total of steal is rounded, not each slice", () => {
  const ram = sharedWords(RAM_BYTES / 4);
  let measuredNs = 0;
  const publisher = publisherOver(ram, { measuredNs: () => measuredNs });
  publisher.register(0, 0, 0);
  for (let slice = 1; slice <= 10; slice++) {
    measuredNs += 300_000;
    publisher.publish(0, slice * 1_000_000);
  }
  assert.equal(new DataView(ram.buffer).getUint32(4, true), 3);
});

test("the steal field counts modulo 2^32 ms, where the ns field goes on", () => {
  const ram = sharedWords(RAM_BYTES / 4);
  const fiftyDaysNs = 50 * 86_400 * 1_000_000_000;
  let measuredNs = 0;
  const publisher = publisherOver(ram, { nanoseconds: true, measuredNs: () => measuredNs });
  publisher.register(0, 0, 0);
  measuredNs = fiftyDaysNs;
  publisher.publish(0, fiftyDaysNs);
  const view = new DataView(ram.buffer);
  assert.equal(view.getUint32(4, true), 50 * 86_400_000 - 2 ** 32);
  assert.equal(view.getBigUint64(32, true), BigInt(fiftyDaysNs));
});

test("without a registered page nothing is written", () => {
  const ram = sharedWords(RAM_BYTES / 4).fill(0x5a5a5a5a);
  const before = Buffer.from(ram.buffer).toString("hex");
  const publisher = publisherOver(ram, {});
  publisher.publish(0, 1_000);
  assert.equal(Buffer.from(ram.buffer).toString("hex"), before);
  publisher.register(0, 64, 2_000);
  const registered = Buffer.from(ram.buffer).toString("hex");
  assert.notEqual(registered, before);
  publisher.unregister(0);
  publisher.publish(0, 3_000);
  publisher.schedIn(0, 0, 4_000);
  assert.equal(Buffer.from(ram.buffer).toString("hex"), registered);
});

test("a page takes 32 bytes, and 40 with the extension", () => {
  const ram = sharedWords(RAM_BYTES / 4);
  const sizes = [
    publisherOver(ram, { offersSteal: false }),
    publisherOver(ram, {}),
    publisherOver(ram, { nanoseconds: true }),
    // Nothing to extend: a host that does not offer steal has no ns field either.
    publisherOver(ram, { offersSteal: false, nanoseconds: true }),
  ].map(({ pageBytes }) => pageBytes);
  assert.deepEqual(sizes, [32, 32, 40, 32]);
  assert.deepEqual([PAGE_WORDS, PAGE_WORDS_NS], [8, 10]);
});

test("flag bits are the ABI's, and ours keep clear of them", () => {
  assert.deepEqual([FLAG_TSC_STABLE, FLAG_GUEST_STOPPED, FLAG_STEAL_MS, FLAG_STEAL_NS], [1, 2, 4, 8]);
});

test("the shift is a signed byte and the flags an unsigned one, in one word with two bytes of padding", () => {
  const view = new DataView(new ArrayBuffer(4));
  for (let shift = -128; shift < 128; shift++) {
    for (const flags of [0, 1, 2, 0x7f, 0x80, 0xff]) {
      view.setUint32(0, 0);
      view.setInt8(0, shift);
      view.setUint8(1, flags);
      const word = packShiftAndFlags(shift, flags);
      assert.equal(word, view.getInt32(0, true));
      // Whatever stands in the padding is none of the reader's business.
      for (const padded of [word, word | (0xa5c3 << 16)]) {
        assert.equal(tscShiftOf(padded), shift);
        assert.equal(flagsOf(padded), flags);
      }
    }
  }
});
