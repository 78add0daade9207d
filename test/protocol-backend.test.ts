import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { loadProtocolModule } from "../src/backend/protocol-module.js";
import { emulate } from "../src/engine/emulate.js";
import { protocolModule } from "../src/engine/protocol-backend.js";
import { type LogLine, PROTOCOL_BACKENDS } from "../src/engine/result.js";
import type { TimelineEvent } from "../src/engine/scenario.js";
import { AUDIT_RING_WORDS, AuditRing } from "../src/shared/audit-ring.js";
import { StealclockError } from "../src/shared/errors.js";
import { allocateMemory, protocolOf, ramOf } from "../src/shared/machine-memory.js";
import { PAGE_WORDS, VERSION_WORD } from "../src/shared/pvclock-page.js";
import { NS_PER_MS } from "../src/shared/units.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { assertSound, machineOf, runToEnd } from "./virtual-helpers.js";

/** `--protocol-backend`: the same machine, whichever of the two writes and reads its pages. */

const LAST_VALUE_WORDS = 8;
const MODULE = loadProtocolModule();

/** Everything that touches a page: registered anew, marked as stopped, written by a host with no steal to tell. */
const timeline: readonly TimelineEvent[] = [
  { kind: "offline", atNs: 20 * NS_PER_MS, forNs: 20 * NS_PER_MS, vcpu: 1 },
  { kind: "migrate", atNs: 80 * NS_PER_MS, forNs: NS_PER_MS, stealFeature: false, tscKhz: 2_000_000 },
  { kind: "suspend", atNs: 120 * NS_PER_MS, forNs: 10 * NS_PER_MS },
];

const WRITES: readonly [name: string, changes: ScenarioChanges][] = [
  ["in ms", { stealUnit: "ms" }],
  ["in ns", { stealUnit: "ns" }],
  ["with updates of the steal alone", { update: { kind: "steal-entry" } }],
];

for (const [name, changes] of WRITES) {
  test(`guest RAM is the same, byte for byte, at the end of a virtual run ${name}`, () => {
    const rams = [null, MODULE].map((protocolModule) => {
      const machine = machineOf(
        { vcpuCount: 5, pcpus: 2, timeline, pageMemory: "junk", ...changes },
        { protocolModule },
      );
      runToEnd(machine);
      // But for the guard of the guest's clock, which is laid out as each of them can best change it.
      return [...machine.ram.subarray(LAST_VALUE_WORDS)];
    });
    assert.ok(rams[0].some((word) => word !== 0));
    assert.deepEqual(rams[1], rams[0]);
  });
}

test("guest RAM ends where it does with Atomics: no guest can register a page in a thread's scratch", () => {
  const [atomics, wasm] = [null, MODULE].map((protocolModule) => machineOf({ vcpuCount: 3 }, { protocolModule }).ram);
  assert.equal(wasm.byteLength, atomics.byteLength);
  assert.ok(wasm.buffer.byteLength > wasm.byteLength);
});

const LINUX: ScenarioChanges = { host: "linux", pcpus: 0, measure: "wait" };
const KINDS: readonly [name: string, changes: ScenarioChanges, runsHere: boolean][] = [
  ["the fair host", { vcpuCount: 4 }, true],
  ["the fair host, the steal alone", { vcpuCount: 4, update: { kind: "steal-entry" } }, true],
  ["the fair host, in ns", { vcpuCount: 2, stealUnit: "ns" }, true],
  ["the linux host", LINUX, existsSync("/proc/self/schedstat")],
];

for (const [name, changes, runsHere] of KINDS) {
  for (const protocolBackend of PROTOCOL_BACKENDS) {
    const skip = runsHere ? false : "no schedstat";
    test(`a run on real threads keeps its invariants: ${name}, by ${protocolBackend}`, { skip }, async () => {
      const result = await emulate(scenarioOf(changes), { protocolBackend, checkProtocol: true });
      assertSound(result);
      for (const { page, reads } of result.vcpus) {
        assert.ok(page.updates > 0 && reads.consistent > 0);
        assert.equal(reads.torn, 0);
        assert.ok(reads.audited > 0);
      }
    });
  }
}

test("without room for WebAssembly memory Atomics are used, and the log says so; asked for by name it is refused", (t) => {
  t.mock.method(WebAssembly, "Memory", function refuse(): never {
    throw new RangeError("could not allocate memory");
  });
  const lines: LogLine[] = [];
  assert.equal(
    protocolModule(undefined, (line) => lines.push(line)),
    null,
  );
  assert.deepEqual(
    lines.map(({ level, message }) => [level, message]),
    [["warn", "the wasm protocol backend can't be used; atomics are used instead"]],
  );
  assert.match(String(lines[0].fields?.reason), /no room .*could not allocate memory/);
  assert.throws(
    () => protocolModule("wasm", () => {}),
    (error: unknown) => error instanceof StealclockError && error.code === "unsupported",
  );
});

test("threads have scratch of their own, beyond guest RAM", () => {
  const RAM_BYTES = 4096;
  const memory = allocateMemory(RAM_BYTES, 3, MODULE);
  const ranges = [0, 1, 2].flatMap((thread) => {
    const { values, words } = protocolOf(memory, thread);
    return [values, words].map(({ byteOffset, byteLength }) => [byteOffset, byteOffset + byteLength]);
  });
  ranges.sort(([a], [b]) => a - b);
  assert.ok(ranges[0][0] >= RAM_BYTES);
  for (const [index, [from]] of ranges.slice(1).entries()) assert.ok(from >= ranges[index][1], `${ranges}`);
  assert.ok(ranges[ranges.length - 1][1] <= memory.buffer.byteLength);
});

for (const module of [null, MODULE]) {
  test(`an update is noted for the audit before its version can be seen: ${module === null ? "atomics" : "wasm"}`, (t) => {
    const memory = allocateMemory(4096, 1, module);
    const protocol = protocolOf(memory, 0);
    const audit = new AuditRing(new Int32Array(new SharedArrayBuffer(AUDIT_RING_WORDS * 4)), 0);
    const noted: number[] = [];
    t.mock.method(audit, "record", (version: number) => {
      noted.push(version);
      assert.notEqual(ramOf(memory)[VERSION_WORD], version);
    });
    const written = [1, 2].map(() => protocol.write(0, PAGE_WORDS, audit));
    assert.deepEqual([written, noted], [[2, 4], written]);
  });
}
