import assert from "node:assert/strict";
import { test } from "node:test";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { loadProtocolModule } from "../src/backend/protocol-module.js";
import { AUDIT_RING_WORDS, AuditRing } from "../src/shared/audit-ring.js";
import { GUEST_STOPPED_MASK, PAGE_WORDS, PAGE_WORDS_NS, SHIFT_AND_FLAGS_WORD } from "../src/shared/pvclock-page.js";
import { GAVE_UP, readPage, writePage } from "../src/shared/version-protocol.js";
import { SCRATCH_BYTES, WasmProtocol, wasmMemory } from "../src/shared/wasm-protocol.js";
import { sharedWords } from "./fixtures/pvclock-struct.js";

/** Not at the start of RAM, so that a forgotten base shows. */
const BASE = 16;
const RAM_WORDS = 64;
const FLAGS = BASE + SHIFT_AND_FLAGS_WORD;

interface Sides {
  readonly host: WasmProtocol;
  readonly guest: WasmProtocol;
  readonly ram: Int32Array;
}

/** Guest RAM, and the protocol of two threads over it. */
function sides(): Sides {
  const { memory, scratchByte } = wasmMemory(RAM_WORDS * 4, 2);
  const module = loadProtocolModule();
  return {
    host: new WasmProtocol(module, memory, scratchByte),
    guest: new WasmProtocol(module, memory, scratchByte + SCRATCH_BYTES),
    ram: new Int32Array(memory.buffer, 0, RAM_WORDS),
  };
}

/** Every word of a payload follows from its version, so that a mix of two is seen. */
function payloadWord(version: number, word: number): number {
  const mixed = Math.imul(version + Math.imul(word, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) & ~(word === SHIFT_AND_FLAGS_WORD ? GUEST_STOPPED_MASK : 0);
}

function fillPayload(values: Int32Array, version: number): Int32Array {
  for (let word = 1; word < values.length; word++) values[word] = payloadWord(version, word);
  return values;
}

function isWhole(words: Int32Array, wordCount: number): boolean {
  if ((words[0] & 1) !== 0) return false;
  for (let word = 1; word < wordCount; word++) if (words[word] !== payloadWord(words[0], word)) return false;
  return true;
}

const VERSIONS_FOUND = [0, 1, 2, 0x7fff_fffc, 0x7fff_fffe, 0x7fff_ffff, -2, -1, 0x5555_5555];

/** What a reader of one page met: told by the worker when it has met enough. */
interface Met {
  readonly reads: number;
  readonly overlaps: number;
  readonly torn: number;
}

interface ReaderData {
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly scratchByte: number;
}

/** So many reads that met the writer at work are enough; so many in all are given up on. */
const OVERLAPS = 1_000;
const MOST_READS = 200_000_000;

function readUntilMet({ memory, module, scratchByte }: ReaderData): Met {
  const guest = new WasmProtocol(module, memory, scratchByte);
  let [overlaps, torn, reads] = [0, 0, 0];
  while (overlaps < OVERLAPS && reads < MOST_READS) {
    reads++;
    const retries = guest.read(BASE, PAGE_WORDS_NS, 10_000);
    if (retries !== 0) overlaps++;
    if (retries !== GAVE_UP && !isWhole(guest.words, PAGE_WORDS_NS)) torn++;
  }
  return { reads, overlaps, torn };
}

if (isMainThread) {
  for (const wordCount of [PAGE_WORDS, PAGE_WORDS_NS]) {
    test(`a page of ${wordCount} words is the same, byte for byte, whichever of the two wrote it`, () => {
      for (const found of VERSIONS_FOUND) {
        const { host, ram } = sides();
        const atomics = sharedWords(RAM_WORDS);
        for (const words of [ram, atomics]) {
          words.fill(-1);
          words[BASE] = found;
        }
        for (const update of [7, 8]) {
          const values = fillPayload(host.values.subarray(0, wordCount), update);
          assert.equal(host.write(BASE, wordCount, null), writePage(atomics, BASE, values, wordCount, null));
          assert.deepEqual(ram, new Int32Array(atomics), `found ${found}`);
        }
      }
    });

    test(`what one of the two wrote to a page of ${wordCount} words the other reads`, () => {
      const { host, guest, ram } = sides();
      fillPayload(host.values, 2);
      host.write(BASE, wordCount, null);
      const out = new Int32Array(wordCount);
      assert.equal(readPage(ram, BASE, out, wordCount, 0), 0);
      assert.equal(guest.read(BASE, wordCount, 0), 0);
      assert.deepEqual(new Int32Array(guest.words.subarray(0, wordCount)), out);
      assert.ok(isWhole(guest.words, wordCount));
    });
  }

  test("of an odd page a read gives up at its bound, and leaves nothing behind", () => {
    const { guest, ram } = sides();
    ram[BASE] = 1;
    guest.words.fill(7);
    assert.equal(guest.read(BASE, PAGE_WORDS_NS, 100), GAVE_UP);
    assert.deepEqual(new Int32Array(guest.words), new Int32Array(PAGE_WORDS_NS));
  });

  test("GUEST_STOPPED is the guest's: an update neither sets nor clears it", () => {
    const { host, guest, ram } = sides();
    host.setGuestStopped(BASE);
    fillPayload(host.values, 2);
    host.write(BASE, PAGE_WORDS, null);
    assert.equal(ram[FLAGS] & GUEST_STOPPED_MASK, GUEST_STOPPED_MASK);
    assert.equal(guest.clearGuestStopped(BASE), true);
    assert.equal(guest.clearGuestStopped(BASE), false);
    host.values[SHIFT_AND_FLAGS_WORD] |= GUEST_STOPPED_MASK;
    host.write(BASE, PAGE_WORDS, null);
    assert.equal(ram[FLAGS], payloadWord(2, SHIFT_AND_FLAGS_WORD));
  });

  test("an update of the steal alone changes that and the version, and nothing else", () => {
    const { host, guest, ram } = sides();
    fillPayload(host.values, 2);
    host.write(BASE, PAGE_WORDS, null);
    const before = [...ram];
    for (const stealMs of [5, -1, 0x7fff_ffff]) {
      before[BASE] += 2;
      before[BASE + 1] = stealMs;
      assert.equal(host.writeSteal(BASE, stealMs), before[BASE]);
      assert.deepEqual([...ram], before);
      assert.equal(guest.read(BASE, PAGE_WORDS, 0), 0);
      assert.deepEqual([guest.words[0], guest.words[1]], [before[BASE], stealMs]);
    }
  });

  test("a version is unchanged until the next update of either kind", () => {
    const { host, guest } = sides();
    const version = host.write(BASE, PAGE_WORDS, null);
    assert.equal(guest.versionUnchanged(BASE, version), true);
    const next = host.writeSteal(BASE, 1);
    assert.equal(guest.versionUnchanged(BASE, version), false);
    assert.equal(guest.versionUnchanged(BASE, next), true);
  });

  test("an update is noted for the audit under the version with which it closes", () => {
    const { host, guest } = sides();
    const audit = new AuditRing(sharedWords(AUDIT_RING_WORDS), 0);
    fillPayload(host.values, 2);
    const version = host.write(BASE, PAGE_WORDS_NS, audit);
    guest.read(BASE, PAGE_WORDS_NS, 0);
    assert.equal(audit.check(version, guest.words, PAGE_WORDS_NS), "whole");
    guest.words[3] ^= 1;
    assert.equal(audit.check(version, guest.words, PAGE_WORDS_NS), "torn");
  });

  test("threads at full speed accept no torn value", async (t) => {
    const { memory, scratchByte } = wasmMemory(RAM_WORDS * 4, 2);
    const module = loadProtocolModule();
    const host = new WasmProtocol(module, memory, scratchByte);
    fillPayload(host.values, 2);
    host.write(BASE, PAGE_WORDS_NS, null);
    const data: ReaderData = { memory, module, scratchByte: scratchByte + SCRATCH_BYTES };
    const reader = new Worker(__filename, { workerData: data });
    let met: Met | undefined;
    reader.on("message", (message: Met) => {
      met = message;
    });
    while (met === undefined) {
      for (let update = 0; update < 100_000; update++) {
        fillPayload(host.values, host.write(BASE, PAGE_WORDS_NS, null) + 2);
      }
      await new Promise(setImmediate);
    }
    await reader.terminate();
    assert.equal(met.torn, 0);
    if (met.overlaps < OVERLAPS) t.skip(`reader and writer hardly met: ${met.overlaps} times in ${met.reads} reads`);
  });
} else {
  parentPort?.postMessage(readUntilMet(workerData as ReaderData));
}
