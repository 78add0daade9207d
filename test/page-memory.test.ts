import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fillPageMemory } from "../src/engine/page-memory.js";
import type { PageMemory, Scenario } from "../src/engine/scenario.js";
import { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { defaultPvclockAddress, guestRamBytes, kernelDataBytes } from "../src/guest/kernel-data.js";
import { GUEST_PAGE_BYTES, PAGE_WORDS_NS, STEAL_MS_WORD, VERSION_WORD } from "../src/shared/pvclock-page.js";
import { NS_PER_MS } from "../src/shared/units.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { sharedWords } from "./fixtures/pvclock-struct.js";
import { assertSound, machineOf, observerOf, pageOf, runToEnd, virtually } from "./virtual-helpers.js";

/** What a guest finds in the memory that it takes for its page. */

function filled(pageMemory: PageMemory, changes: ScenarioChanges = {}): { ram: Int32Array; scenario: Scenario } {
  const scenario = scenarioOf({ pageMemory, ...changes });
  const ram = sharedWords(guestRamBytes(scenario.vcpus.length) / 4);
  fillPageMemory(ram, scenario);
  return { ram, scenario };
}

const baseOf = (scenario: Scenario, id: number): number =>
  (scenario.vcpus[id].gpa ?? defaultPvclockAddress(scenario.vcpus.length, id)) / 4;

describe("the memory of a page before its guest boots", () => {
  test("is zero, unless junk is asked for", () => {
    assert.ok(filled("zero").ram.every((word) => word === 0));
  });

  for (const gpa of [null, 4096, 4096 + 64, 8192 - 64]) {
    test(`is junk with an odd version, wherever the page lies: ${gpa ?? "the guest's choice"}`, () => {
      for (const vcpuCount of gpa === null ? [1, 2, 7, 64, 65, 300] : [1]) {
        const { ram, scenario } = filled("junk", { vcpuCount, vcpu: { gpa } });
        for (let id = 0; id < vcpuCount; id++) {
          const words = [...ram.subarray(baseOf(scenario, id), baseOf(scenario, id) + PAGE_WORDS_NS)];
          assert.equal(words[VERSION_WORD] & 1, 1, `vCPU ${id}`);
          assert.ok(
            words.every((word) => word !== 0),
            `vCPU ${id}: ${words}`,
          );
          assert.equal(new Set(words).size, words.length);
        }
        // The kernel's own data is not touched: it is zero at boot.
        assert.ok(ram.subarray(0, kernelDataBytes(vcpuCount) / 4).every((word) => word === 0));
      }
    });
  }

  test("beyond guest RAM there is none to fill", () => {
    const { ram } = filled("junk", { vcpuCount: 1, vcpu: { gpa: 2 ** 40 } });
    assert.ok(ram.every((word) => word === 0));
  });
});

describe("a guest that boots on junk", () => {
  const CHANGES: ScenarioChanges = { vcpuCount: 3, pcpus: 2, durationNs: 500 * NS_PER_MS };

  test("the first update closes the odd version, and all of the page is the host's from there", () => {
    for (const stealUnit of ["ms", "ns"] as const) {
      const { ram, scenario } = filled("junk", { ...CHANGES, stealUnit });
      const firstVersions = new Map<number, number>();
      const observer = observerOf({
        published: (vcpu, version) => {
          if (!firstVersions.has(vcpu)) firstVersions.set(vcpu, version);
        },
      });
      const machine = new VirtualMachine(virtually(scenario), { observer });
      for (const id of [0, 1, 2]) {
        const found = ram[baseOf(scenario, id) + VERSION_WORD];
        assert.equal(
          firstVersions.get(id),
          (found + 3) | 0,
          "the next odd number opens it, the next even one closes it",
        );
        const page = pageOf(machine, id);
        assert.deepEqual([page.version % 2, page.stealMs, page.tscTimestamp, page.systemTimeNs], [0, 0, 0n, 0n]);
        if (stealUnit === "ns") assert.equal(page.stealNs, 0n);
      }
      const result = runToEnd(machine);
      assertSound(result);
      for (const { page, guest, reads } of result.vcpus) {
        assert.equal(page.version % 2, 0);
        assert.equal(guest.stealEnabled, true);
        assert.equal(reads.gaveUp, 0);
      }
    }
  });

  for (const accounting of ["none", "rfc-v2", "mainline"] as const) {
    for (const stealUnit of ["ms", "ns"] as const) {
      test(`${accounting}, ${stealUnit}: believes what one believes that boots on zeros; no steal comes from junk`, () => {
        const figures = (pageMemory: PageMemory) => {
          const result = runToEnd(machineOf({ ...CHANGES, accounting, stealUnit, pageMemory }));
          assertSound(result);
          return result.vcpus.map(({ guest, host, clock, page: { version: _, ...page } }) => ({
            guest,
            host,
            clock,
            page,
          }));
        };
        assert.deepEqual(figures("junk"), figures("zero"));
      });
    }
  }

  test("and whose page is refused finds no steal there either", () => {
    const machine = machineOf({ vcpuCount: 1, vcpu: { gpa: GUEST_PAGE_BYTES + 32 }, pageMemory: "junk" });
    const word = GUEST_PAGE_BYTES / 4 + STEAL_MS_WORD;
    const before = machine.ram[word];
    assert.notEqual(before, 0);
    const result = runToEnd(machine);
    assertSound(result);
    assert.deepEqual([result.vcpus[0].guest.stealEnabled, result.vcpus[0].guest.stealNs], [false, 0]);
    assert.equal(machine.ram[word], before);
  });

  test("on a host without steal sees neither flag nor steal, though junk has some of both", () => {
    for (const stealUnit of ["ms", "ns"] as const) {
      const machine = machineOf({ ...CHANGES, stealFeature: false, stealUnit, pageMemory: "junk" });
      for (const id of [0, 1, 2]) {
        const { flags, stealMs } = pageOf(machine, id);
        assert.deepEqual([flags & 0b1101, stealMs], [0, 0]);
      }
      for (const { guest } of runToEnd(machine).vcpus)
        assert.deepEqual([guest.stealEnabled, guest.stealNs], [false, 0]);
    }
  });
});
