import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { loadProtocolModule } from "../src/backend/protocol-module.js";
import { LastValue } from "../src/guest/last-value.js";
import { PAGE_CHANGED, type PvclockArithmetic } from "../src/guest/pvclock-arithmetic.js";
import { PvclockInHalves } from "../src/guest/pvclock-in-halves.js";
import { PvclockInWasm } from "../src/guest/pvclock-in-wasm.js";
import { AtomicsProtocol, type PageProtocol } from "../src/shared/page-protocol.js";
import { PAGE_WORDS } from "../src/shared/pvclock-page.js";
import { U64 } from "../src/shared/u64.js";
import { WasmProtocol, wasmMemory } from "../src/shared/wasm-protocol.js";
import { type PvclockStruct, putPvclock, sharedWords } from "./fixtures/pvclock-struct.js";

/** The clock's arithmetic in WebAssembly, beside the one in halves. */

const RUNS = { seed: 20100830, numRuns: 2_000 };
const BASE = 16;
const LAST_VALUE_WORD = 0;
const RAM_WORDS = 64;
const TSC_STABLE = 1;

interface Side {
  readonly ram: Int32Array;
  readonly protocol: PageProtocol;
  readonly arithmetic: PvclockArithmetic;
}

function inWasm(): Side {
  const { memory, scratchByte } = wasmMemory(RAM_WORDS * 4, 1);
  const protocol = new WasmProtocol(loadProtocolModule(), memory, scratchByte);
  const ram = new Int32Array(memory.buffer, 0, RAM_WORDS);
  return { ram, protocol, arithmetic: new PvclockInWasm(protocol, LAST_VALUE_WORD) };
}

function inHalves(): Side {
  const ram = sharedWords(RAM_WORDS);
  const protocol = new AtomicsProtocol(ram);
  return { ram, protocol, arithmetic: new PvclockInHalves(protocol, new LastValue(ram, LAST_VALUE_WORD)) };
}

function u64(value: bigint): U64 {
  return new U64().set(Number((value >> 32n) & 0xffff_ffffn), Number(value & 0xffff_ffffn));
}

/** Lays a page down, reads it, and reads the clock. */
function clockNs({ ram, protocol, arithmetic }: Side, page: PvclockStruct, cycles: bigint): number {
  putPvclock(ram, BASE, page);
  assert.equal(protocol.read(BASE, PAGE_WORDS, 0), 0);
  return arithmetic.clockNs(BASE, u64(cycles));
}

const anyPage = fc.record({
  version: fc.constant(2),
  stealMs: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  tscTimestamp: fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }),
  systemTimeNs: fc.bigInt({ min: 0n, max: (1n << 62n) - 1n }),
  tscToSystemMul: fc.integer({ min: 2 ** 31, max: 2 ** 32 - 1 }),
  tscShift: fc.integer({ min: -31, max: 31 }),
  flags: fc.constantFrom(0, TSC_STABLE),
});

/** By the ABI, in integers of any size; a TSC below the stamp counts as no time passed since. */
function expectedNs(page: PvclockStruct, cycles: bigint): bigint {
  const delta = cycles < page.tscTimestamp ? 0n : cycles - page.tscTimestamp;
  const { tscShift, tscToSystemMul } = page;
  const shifted = tscShift < 0 ? delta >> BigInt(-tscShift) : BigInt.asUintN(64, delta << BigInt(tscShift));
  return BigInt.asUintN(64, page.systemTimeNs + ((shifted * BigInt(tscToSystemMul)) >> 32n));
}

test("for any page and any TSC it says what the ABI says, and what the other does", () => {
  fc.assert(
    fc.property(anyPage, fc.bigInt({ min: -(1n << 55n), max: 1n << 55n }), (page, delta) => {
      const sum = page.tscTimestamp + delta;
      const cycles = sum < 0n ? 0n : sum;
      const [wasm, halves] = [inWasm(), inHalves()];
      assert.equal(clockNs(wasm, page, cycles), clockNs(halves, page, cycles));
      assert.equal(wasm.arithmetic.rawNs, halves.arithmetic.rawNs);
      assert.equal(wasm.arithmetic.rawNs, Number(expectedNs(page, cycles)));
    }),
    RUNS,
  );
});

const PAGE: PvclockStruct = {
  version: 2,
  stealMs: 0,
  tscTimestamp: 1_000n,
  systemTimeNs: 5_000n,
  tscToSystemMul: 2 ** 31,
  tscShift: 1,
  flags: 0,
};

for (const [name, sideOf] of [
  ["WebAssembly", inWasm],
  ["halves", inHalves],
] as const) {
  test(`in ${name} a clock never goes back, unless the page says that it need not care`, () => {
    const side = sideOf();
    assert.equal(clockNs(side, PAGE, 3_000n), 7_000);
    assert.equal(clockNs(side, PAGE, 2_000n), 7_000);
    assert.equal(side.arithmetic.rawNs, 6_000);
    assert.equal(clockNs(side, { ...PAGE, flags: TSC_STABLE }, 2_000n), 6_000);
    assert.equal(side.arithmetic.raise(6_500), 7_000);
    assert.equal(side.arithmetic.raise(9_000), 9_000);
    assert.equal(side.arithmetic.rawNs, 9_000);
    assert.equal(clockNs(side, PAGE, 4_000n), 9_000);
  });

  test(`in ${name} a TSC that was read while the page changed is not used`, () => {
    const side = sideOf();
    clockNs(side, PAGE, 3_000n);
    for (const version of [3, 4]) {
      side.ram[BASE] = version;
      assert.equal(side.arithmetic.clockNs(BASE, u64(9_000n)), PAGE_CHANGED);
    }
    assert.equal(clockNs(side, { ...PAGE, version: 4 }, 3_000n), 7_000, "and the guard has not seen it");
  });
}
