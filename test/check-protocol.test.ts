import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { emulate } from "../src/engine/emulate.js";
import { type EmulateOptions, PROTOCOL_BACKENDS, type RunResult } from "../src/engine/result.js";
import type { Scenario, TimelineEvent } from "../src/engine/scenario.js";
import type { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { plantedCopy } from "../src/fuzz/planted.js";
import { SHIFT_AND_FLAGS_WORD } from "../src/shared/pvclock-page.js";
import { NS_PER_MS } from "../src/shared/units.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { assertSound, machineOf, observerOf, runToEnd, virtually } from "./virtual-helpers.js";

/** `--check-protocol`: every read of a page is audited. */

const CHECKED: EmulateOptions = { checkProtocol: true };
const TORN = "no torn value accepted";
/** A bit of the page's last byte, which is padding: nobody but the audit looks at it. */
const PAD_BIT = 1 << 30;

/** Every consistent read was audited, or is counted as one that could not be. */
function assertAllAudited({ vcpus, invariants }: RunResult): void {
  let audited = 0;
  for (const { reads } of vcpus) {
    assert.ok(reads.consistent > 0);
    assert.equal(reads.audited + (reads.unaudited ?? Number.NaN), reads.consistent);
    audited += reads.audited;
  }
  const { detail = "" } = invariants.find(({ name }) => name === TORN) ?? {};
  assert.ok(detail.startsWith(`${audited} reads audited, `), detail);
}

describe("in the real engine", () => {
  const LINUX: ScenarioChanges = { host: "linux", pcpus: 0, measure: "wait" };
  const hasSchedstat = existsSync("/proc/self/schedstat");

  test("every consistent read is audited", async () => {
    const result = await emulate(scenarioOf({ vcpuCount: 4, stealUnit: "ns" }), CHECKED);
    assertSound(result);
    assertAllAudited(result);
  });

  test("on the linux host, too", { skip: hasSchedstat ? false : "no schedstat here" }, async () => {
    const result = await emulate(scenarioOf(LINUX), CHECKED);
    assertSound(result);
    assertAllAudited(result);
  });

  test("a result without it says nothing of reads that it did not mean to audit", async () => {
    for (const options of [{}, { checkProtocol: false }]) {
      const { vcpus } = await emulate(scenarioOf({ durationNs: 100 * NS_PER_MS }), options);
      for (const { reads } of vcpus) assert.ok(!("unaudited" in reads) && reads.audited <= reads.consistent);
    }
  });

  test("a host that notes wrong hashes makes every read a torn one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "stealclock-check-protocol-"));
    try {
      // The vCPU threads run a bundle, which has its own copy of this code: it stays as it is.
      const file = "shared/audit-ring.js";
      const fault = { name: "wrong-hash", what: "", file, find: "0x811c9dc5", replace: "0x811c9dc4" };
      const copy: { emulate: typeof emulate } = require(join(plantedCopy(fault, folder), "engine/emulate.js"));
      const result = await copy.emulate(scenarioOf(), CHECKED);
      const broken = result.invariants.filter(({ status }) => status === "broken");
      assert.deepEqual([result.ok, broken.map(({ name }) => name)], [false, [TORN]]);
      for (const { reads } of result.vcpus) {
        assert.equal(reads.torn + (reads.unaudited ?? Number.NaN), reads.consistent);
        assert.ok(reads.consistent > 0);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("in virtual time", () => {
  /** Pages of either width, read by guests that booted on hosts of either, and given back in between. */
  const TIMELINE: readonly TimelineEvent[] = [
    { kind: "offline", atNs: 20 * NS_PER_MS, forNs: 20 * NS_PER_MS, vcpu: 1 },
    { kind: "migrate", atNs: 80 * NS_PER_MS, forNs: NS_PER_MS, stealFeature: false, tscKhz: 2_000_000 },
    { kind: "suspend", atNs: 120 * NS_PER_MS, forNs: 10 * NS_PER_MS },
    { kind: "migrate", atNs: 200 * NS_PER_MS, forNs: NS_PER_MS, stealFeature: true, tscKhz: 2_600_000 },
  ];
  const travelling = (changes: ScenarioChanges = {}): Scenario =>
    virtually(scenarioOf({ vcpuCount: 3, timeline: TIMELINE, accounting: "mainline", ...changes }));

  const HOSTS: readonly ScenarioChanges[] = [
    { stealUnit: "ms" },
    { stealUnit: "ns" },
    { stealUnit: "ns", stealFeature: false },
    { stealUnit: "ns", pageMemory: "junk", update: { kind: "periodic", periodNs: NS_PER_MS } },
    { update: { kind: "steal-entry" } },
  ];
  for (const changes of HOSTS) {
    for (const protocolBackend of PROTOCOL_BACKENDS) {
      test(`every consistent read is audited, by ${protocolBackend}: ${JSON.stringify(changes)}`, async () => {
        const result = await emulate(travelling(changes), { ...CHECKED, protocolBackend });
        assertSound(result);
        assertAllAudited(result);
        for (const { reads } of result.vcpus) assert.deepEqual([reads.unaudited, reads.torn], [0, 0]);
      });
    }
  }

  test("with full checks, too", async () => {
    const result = await emulate(travelling(), { ...CHECKED, checks: "full" });
    assertSound(result);
    assertAllAudited(result);
  });

  test("a run is the same with it and without, but for what was audited", async () => {
    const plain = await emulate(travelling());
    const checked = await emulate(travelling(), CHECKED);
    const unaudited = ({ vcpus }: RunResult) =>
      vcpus.map(({ reads: { audited: _audited, unaudited: _unaudited, ...reads }, ...rest }) => ({ ...rest, reads }));
    assert.deepEqual(unaudited(checked), unaudited(plain));
    for (const { reads } of plain.vcpus) assert.ok(!("unaudited" in reads) && reads.audited === 0);
    assert.notDeepEqual(checked.invariants, plain.invariants);
  });

  /** Changes a bit of one vCPU's page as soon as it is published, under its even version. */
  function tornMachine(checkProtocol: boolean): VirtualMachine {
    const tearing = (ram: Int32Array) => {
      const bases = [-1, -1];
      return observerOf({
        registered: (vcpu, base) => {
          bases[vcpu] = base;
        },
        published: (vcpu) => {
          if (vcpu === 1) ram[bases[vcpu] + SHIFT_AND_FLAGS_WORD] ^= PAD_BIT;
        },
      });
    };
    return machineOf({ vcpuCount: 2 }, { checkProtocol, observerOf: tearing });
  }

  test("a page that is changed under an even version is found", () => {
    const { ok, invariants, vcpus } = runToEnd(tornMachine(true));
    const [{ reads: whole }, { reads: torn }] = vcpus;
    assert.deepEqual([whole.torn, torn.torn], [0, torn.consistent]);
    assert.equal(ok, false);
    const { status, detail } = invariants.find(({ name }) => name === TORN) ?? {};
    assert.deepEqual([status, detail], ["broken", `vCPU 1: ${torn.consistent} torn reads`]);
    assert.equal(runToEnd(tornMachine(false)).ok, true, "nobody looks without it");
  });

  test("and so it is by another CPU that reads it", () => {
    const machine = tornMachine(true);
    machine.run(50 * NS_PER_MS);
    const [{ time }] = machine.guests;
    const { audited } = time.reader;
    assert.equal(time.reader.torn, 0);
    // Every other step of it is at the CPU itself.
    for (let step = 0; step < 20; step++) time.readRemote();
    assert.deepEqual([time.remoteReads, time.reader.audited - audited, time.reader.torn], [10, 10, 10]);
  });
});

test("where nothing is checked nothing can be audited", async () => {
  await assert.rejects(emulate(virtually(scenarioOf()), { ...CHECKED, checks: false }), {
    code: "bad-input",
    message: "checkProtocol: contradicts a run without checks; accepted: one of them",
  });
});
