import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Scenario } from "../src/engine/scenario.js";
import { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { KvmPlatform } from "../src/host/kvm-platform.js";
import { type PublisherConfig, PvclockPublisher } from "../src/host/pvclock-publisher.js";
import { CpuidRegisters, MSR_KVM_SYSTEM_TIME_NEW } from "../src/shared/kvm-abi.js";
import { STEAL_MS_WORD } from "../src/shared/pvclock-page.js";
import { Tsc } from "../src/shared/tsc.js";
import { U64 } from "../src/shared/u64.js";
import { NS_PER_MS, NS_PER_US, type Ns } from "../src/shared/units.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { decodePvclock, sharedWords } from "./fixtures/pvclock-struct.js";
import { checkerOf, machineOf, runToEnd, virtually } from "./virtual-helpers.js";

const RUNS = { seed: 20100830, numRuns: 200 };
const SIGNATURE = 0x4000_0000;
const FEATURES = 0x4000_0001;
/** Feature bits: CLOCKSOURCE2, the RFC's steal time, our ns extension. */
const [CLOCK, STEAL_MS, STEAL_NS] = [1 << 3, 1 << 4, 1 << 30];

interface Options extends Partial<PublisherConfig> {
  readonly ramBytes?: number;
}

/** A platform and its publisher, for one vCPU; the test says what is measured. */
function machine({ ramBytes = 4 * 4096, ...changes }: Options = {}) {
  const ram = sharedWords(ramBytes / 4);
  const measure = { ns: 0 };
  const told: string[] = [];
  const config: PublisherConfig = {
    policy: "entry",
    offersSteal: true,
    nanoseconds: false,
    tsc: new Tsc(2_600_000),
    stealAtStartNs: 0,
    measuredNs: () => measure.ns,
    auditOf: () => null,
    ...changes,
  };
  const publisher = new PvclockPublisher(ram, 1, config, [
    {
      registered: (_vcpu, base) => told.push(`registered ${base * 4}, version ${ram[base]}`),
      unregistered: () => told.push("unregistered"),
      published: (_vcpu, version, stealNs) => told.push(`version ${version}: ${stealNs} ns`),
      moved: (offersSteal) => told.push(`moved, steal ${offersSteal}`),
    },
  ]);
  const platform = new KvmPlatform(ram.byteLength, publisher);
  let now = 0;
  /** wrmsr of an address and the enable bit, or of any value. @returns why it was refused, or null */
  const write = (value: bigint, index = MSR_KVM_SYSTEM_TIME_NEW): string | null => {
    const halves = new U64().set(Number(value >> 32n), Number(value & 0xffff_ffffn));
    const accepted = platform.writeMsr(0, index, halves, now++);
    assert.equal(accepted, platform.refusalOf(0) === null);
    return platform.refusalOf(0);
  };
  const register = (gpa: number): string | null => write(BigInt(gpa) + 1n);
  const pageAt = (gpa: number) => ({ version: ram[gpa / 4], stealMs: ram[gpa / 4 + STEAL_MS_WORD] });
  return { ram, measure, told, publisher, platform, write, register, pageAt };
}

function cpuid(platform: KvmPlatform, leaf: number): number[] {
  const registers = new CpuidRegisters();
  // A leaf fills every register, whatever was in it.
  registers.set(1, 2, 3, 4);
  platform.cpuid(leaf, registers);
  const { eax, ebx, ecx, edx } = registers;
  return [eax, ebx, ecx, edx];
}

describe("CPUID", () => {
  test("the signature is KVM's, twelve bytes in ebx, ecx and edx, and eax the highest leaf", () => {
    const [eax, ...text] = cpuid(machine().platform, SIGNATURE);
    assert.equal(eax, FEATURES);
    assert.equal(Buffer.from(Uint32Array.from(text).buffer).toString("latin1"), "KVMKVMKVM\0\0\0");
  });

  test("steal is offered as asked: not at all, in ms, or in ns as well", () => {
    const offers: readonly (readonly [Options, number])[] = [
      [{ offersSteal: false }, CLOCK],
      [{}, CLOCK | STEAL_MS],
      [{ nanoseconds: true }, CLOCK | STEAL_MS | STEAL_NS],
      [{ offersSteal: false, nanoseconds: true }, CLOCK],
    ];
    for (const [options, features] of offers) {
      assert.deepEqual(cpuid(machine(options).platform, FEATURES), [features, 0, 0, 0]);
    }
  });

  test("other leaves read as zero", () => {
    for (const leaf of [0, 1, 0x3fff_ffff, 0x4000_0002, 0x8000_0000, 0xffff_ffff]) {
      assert.deepEqual(cpuid(machine().platform, leaf), [0, 0, 0, 0], `leaf 0x${leaf.toString(16)}`);
    }
  });
});

describe("the MSR that registers a page refuses", () => {
  /** Refused with words that say why, and nothing was written anywhere. */
  function assertRefused(options: Options, value: bigint, why: RegExp, index?: number): void {
    const { ram, told, write } = machine(options);
    assert.match(write(value, index) ?? "accepted", why);
    assert.deepEqual(told, []);
    assert.ok(ram.every((word) => word === 0));
  }

  test("an address that is not aligned to 64 bytes", () => {
    for (const gpa of [4n, 8n, 32n, 4096n + 60n]) {
      assertRefused({}, gpa | 1n, new RegExp(`^0x${gpa.toString(16)}: not aligned to 64 bytes$`));
    }
  });

  test("a page that crosses into the next one: 32 bytes or, with the ns field, 40", () => {
    assertRefused({}, 4068n | 1n, /^0xfe4: 32 bytes from there cross a page boundary$/);
    assertRefused({ nanoseconds: true }, 4064n | 1n, /^0xfe0: 40 bytes from there cross a page boundary$/);
    // 32 bytes fit there; that address has only the alignment against it.
    assertRefused({}, 4064n | 1n, /not aligned/);
  });

  test("addresses beyond guest RAM, its last bytes included", () => {
    assertRefused({}, 0x4000n | 1n, /^0x4000: beyond guest RAM, which ends at 0x4000$/);
    assertRefused({}, 0xffff_f000n | 1n, /^0xfffff000: beyond guest RAM/);
    // By its lower half alone this one would be in RAM.
    assertRefused({}, (1n << 32n) | 0x1000n | 1n, /^0x100001000: beyond guest RAM/);
    assertRefused({}, (0xffff_ffffn << 32n) | 0x1000n | 1n, /beyond guest RAM/);
  });

  test("40 bytes at the end of guest RAM where 32 would do", () => {
    const ramBytes = 4096 + 32;
    assert.equal(machine({ ramBytes }).register(4096), null);
    assertRefused({ ramBytes, nanoseconds: true }, 4096n | 1n, /^0x1000: beyond guest RAM, which ends at 0x1020$/);
  });

  test("reserved bits", () => {
    assertRefused({}, 0x1000n | 3n, /^0x1002: bit 1 is reserved$/);
  });

  test("an address without the enable bit", () => {
    assertRefused({}, 0x1000n, /^0x1000: bit 0 \(enable\) is clear; only 0 stops the updates$/);
    // Not taken for 0 because its lower half is.
    assertRefused({}, 1n << 32n, /bit 0 \(enable\) is clear/);
  });

  test("itself under another number", () => {
    for (const index of [0x12, 0x4b56_4d00, 0x4b56_4d03]) {
      const why = new RegExp(`^MSR 0x${index.toString(16)} is not known to this host$`);
      assertRefused({}, 0x1000n | 1n, why, index);
      assertRefused({}, 0n, why, index);
    }
  });

  test("and after a refusal accepts what is right; the old page stays in use until then", () => {
    const { write, register, publisher, platform } = machine();
    assert.equal(register(0x1000), null);
    assert.notEqual(write(0x2000n | 3n), null);
    assert.equal(publisher.pageOf(0).base, 0x1000 / 4);
    assert.equal(register(0x2000), null);
    assert.equal(platform.refusalOf(0), null);
    assert.equal(publisher.pageOf(0).base, 0x2000 / 4);
  });

  test("nothing that lies in RAM, aligned", () => {
    for (let gpa = 0; gpa < 4 * 4096; gpa += 64) {
      for (const nanoseconds of [false, true]) assert.equal(machine({ nanoseconds }).register(gpa), null, `${gpa}`);
    }
  });
});

describe("a registered page", () => {
  test("is filled at once, and counts from what was measured until then", () => {
    const { measure, register, publisher, pageAt, told } = machine();
    measure.ns = 70 * NS_PER_MS;
    register(0x1000);
    assert.deepEqual(pageAt(0x1000), { version: 2, stealMs: 0 });
    measure.ns = 75 * NS_PER_MS;
    publisher.publish(0, 1);
    assert.deepEqual(pageAt(0x1000), { version: 4, stealMs: 5 });
    assert.deepEqual(told, ["registered 4096, version 0", "version 2: 0 ns", "version 4: 5000000 ns"]);
  });

  test("is memory like any other after writing 0: its version stands still", () => {
    const { measure, register, write, publisher, pageAt, told } = machine();
    register(0x1000);
    assert.equal(write(0n), null);
    measure.ns = 9 * NS_PER_MS;
    publisher.publish(0, 1);
    publisher.schedIn(0, 0, 2);
    assert.deepEqual(pageAt(0x1000), { version: 2, stealMs: 0 });
    assert.equal(told.at(-1), "unregistered");
    assert.equal(publisher.pageOf(0).updates, 1);
    assert.equal(publisher.pageOf(0).base, -1);
  });

  test("registered again goes on counting from the first registration", () => {
    const { measure, register, write, pageAt } = machine();
    measure.ns = 10 * NS_PER_MS;
    register(0x1000);
    measure.ns = 30 * NS_PER_MS;
    write(0n);
    measure.ns = 50 * NS_PER_MS;
    register(0x1000);
    assert.deepEqual(pageAt(0x1000), { version: 4, stealMs: 40 });
  });

  test("moves with a second registration, and the old one is left alone", () => {
    const { measure, register, publisher, pageAt } = machine();
    register(0x1000);
    measure.ns = 3 * NS_PER_MS;
    register(0x2040);
    publisher.publish(0, 1);
    assert.deepEqual(pageAt(0x1000), { version: 2, stealMs: 0 });
    assert.deepEqual(pageAt(0x2040), { version: 4, stealMs: 3 });
    assert.equal(publisher.pageOf(0).updates, 3);
  });
});

describe("when the publisher writes", () => {
  /** Versions after a registration and after each entry on these pCPUs. */
  function versionsAfter(policy: PublisherConfig["policy"], pcpus: readonly number[]): number[] {
    const { publisher, register, pageAt } = machine({ policy });
    register(0x1000);
    return pcpus.map((pcpu, entry) => {
      publisher.schedIn(0, pcpu, entry);
      publisher.schedOut();
      publisher.woken();
      return pageAt(0x1000).version;
    });
  }

  test("entry and periodic: at every entry, and at no exit or wake-up", () => {
    assert.deepEqual(versionsAfter("entry", [0, 0, 1, 1]), [4, 6, 8, 10]);
    assert.deepEqual(versionsAfter("periodic", [0, 0, 1, 1]), [4, 6, 8, 10]);
  });

  test("pcpu-change: at the first entry, and at one on another pCPU than before", () => {
    assert.deepEqual(versionsAfter("pcpu-change", [0, 0, 1, 1, 0]), [4, 4, 6, 6, 8]);
  });

  test("steal-entry: at every entry, its time at the first one and on another pCPU than before", () => {
    const { publisher, register, ram, measure } = machine({ policy: "steal-entry" });
    register(0x1000);
    const pages = [0, 0, 1, 1, 0].map((pcpu, entry) => {
      measure.ns += 7 * NS_PER_MS;
      publisher.schedIn(0, pcpu, (entry + 1) * NS_PER_MS);
      return decodePvclock(ram, 0x1000 / 4);
    });
    assert.deepEqual(
      pages.map(({ version }) => version),
      [4, 6, 8, 10, 12],
    );
    assert.deepEqual(
      pages.map(({ systemTimeNs }) => Number(systemTimeNs) / NS_PER_MS),
      [1, 1, 3, 3, 5],
    );
    assert.deepEqual(
      pages.map(({ stealMs }) => stealMs),
      [7, 14, 21, 28, 35],
    );
  });

  test("steal-entry: with the steal in ns as well every update is of the whole page", () => {
    const { publisher, register, ram } = machine({ policy: "steal-entry", nanoseconds: true });
    register(0x1000);
    for (const now of [1_000, 2_000]) {
      publisher.schedIn(0, 0, now);
      assert.equal(Number(decodePvclock(ram, 0x1000 / 4).systemTimeNs), now);
    }
  });

  test("pcpu-change: a page that is registered anew is written at the next entry, wherever that is", () => {
    const { publisher, register, write, pageAt } = machine({ policy: "pcpu-change" });
    register(0x1000);
    publisher.schedIn(0, 0, 1);
    write(0n);
    register(0x1000);
    publisher.schedIn(0, 0, 2);
    assert.equal(pageAt(0x1000).version, 8);
  });
});

/** Updates of each vCPU's page over a run, with what could have caused them. */
function updatesOf(scenario: Scenario) {
  const machine = new VirtualMachine(virtually(scenario));
  runToEnd(machine);
  return machine.host.ledger.vcpus.map(({ entries, migrations }, vcpu) => {
    return { updates: machine.host.publisher.pageOf(vcpu).updates, entries, migrations };
  });
}

/** Hogs and sleepers on one to three pCPUs. */
const anyLoad: fc.Arbitrary<ScenarioChanges> = fc.record({
  vcpuCount: fc.integer({ min: 1, max: 5 }),
  pcpus: fc.integer({ min: 1, max: 3 }),
  sliceNs: fc.integer({ min: 200 * NS_PER_US, max: 8 * NS_PER_MS }),
  durationNs: fc.constant(60 * NS_PER_MS),
  vcpu: fc.record({
    workload: fc.constantFrom(
      { kind: "hog" } as const,
      { kind: "idle" } as const,
      { kind: "duty", busyNs: 700 * NS_PER_US, periodNs: 3 * NS_PER_MS } as const,
    ),
  }),
});

describe("how often a host writes its pages", () => {
  test("steal-entry: as often as entry, and its guests see the same steal", () => {
    fc.assert(
      fc.property(anyLoad, (load) => {
        const [every, stealAlone] = (["entry", "steal-entry"] as const).map((kind) => {
          const result = runToEnd(new VirtualMachine(virtually(scenarioOf({ ...load, update: { kind } }))));
          return result.vcpus.map(({ guest, page, host }) => [guest, page.updates, page.stealMs, host]);
        });
        assert.deepEqual(stealAlone, every);
      }),
      RUNS,
    );
  });

  test("entry: once at the registration and once at every entry, whatever runs", () => {
    fc.assert(
      fc.property(anyLoad, (load) => {
        for (const { updates, entries } of updatesOf(scenarioOf(load))) assert.equal(updates, 1 + entries);
      }),
      RUNS,
    );
  });

  test("pcpu-change: at the registration, the first entry and every migration, whatever runs", () => {
    fc.assert(
      fc.property(anyLoad, (load) => {
        const scenario = scenarioOf({ ...load, update: { kind: "pcpu-change" } });
        for (const { updates, entries, migrations } of updatesOf(scenario)) {
          assert.equal(updates, 1 + Math.min(1, entries) + migrations);
        }
      }),
      RUNS,
    );
  });

  test("periodic: besides, once a period for each that runs", () => {
    const periodNs = NS_PER_MS;
    const scenario = scenarioOf({ vcpuCount: 3, update: { kind: "periodic", periodNs }, durationNs: 50 * NS_PER_MS });
    const counts = updatesOf(scenario);
    const updates = counts.reduce((sum, count) => sum + count.updates, 0);
    const entries = counts.reduce((sum, count) => sum + count.entries, 0);
    // One pCPU and three hogs: always exactly one runs.
    assert.equal(updates, 3 + entries + scenario.durationNs / periodNs);
  });

  test("periodic: a refresh renews the time, and steal stands still while the vCPU runs", () => {
    const scenario = scenarioOf({ update: { kind: "periodic", periodNs: NS_PER_MS }, sliceNs: 10 * NS_PER_MS });
    const machine = new VirtualMachine(virtually(scenario));
    const systemTimeNs = (vcpu: number): Ns => machine.ram[machine.host.publisher.pageOf(vcpu).base + 4];
    machine.run(12 * NS_PER_MS);
    const entered = machine.host.publisher.pageOf(1).stealNs;
    assert.equal(entered, 10 * NS_PER_MS);
    machine.run(15 * NS_PER_MS + 1);
    assert.equal(systemTimeNs(1), 15 * NS_PER_MS);
    assert.equal(machine.host.publisher.pageOf(1).stealNs, entered);
    // At 10 ms its slice ended and it had left, before the refresh of that instant.
    assert.equal(systemTimeNs(0), 9 * NS_PER_MS, "one that waits is not refreshed");
  });

  test("the steal that an entry publishes includes the wait that it ends", () => {
    for (const measure of ["out-of-guest", "wait"] as const) {
      const machine = machineOf({ vcpuCount: 3, measure, stealUnit: "ns" });
      const { ledger, publisher } = machine.host;
      let compared = 0;
      machine.onInstant = () => {
        checkerOf(machine).witnesses.forEach(({ inGuest }, vcpu) => {
          if (!inGuest) return;
          compared++;
          assert.equal(publisher.pageOf(vcpu).stealNs, ledger.vcpus[vcpu].waitNs);
        });
      };
      runToEnd(machine);
      assert.ok(compared > 10, `${compared} compared`);
    }
  });

  test("measure wait leaves halted time out, out-of-guest does not", () => {
    const workload = { kind: "duty", busyNs: NS_PER_MS, periodNs: 5 * NS_PER_MS } as const;
    for (const measure of ["out-of-guest", "wait"] as const) {
      const machine = machineOf({ vcpuCount: 3, measure, vcpu: { workload } });
      runToEnd(machine);
      machine.host.ledger.vcpus.forEach(({ waitNs, haltNs }, vcpu) => {
        const { stealNs } = machine.host.publisher.pageOf(vcpu);
        const measuredNs = measure === "wait" ? waitNs : waitNs + haltNs;
        // As of the last entry, one period ago at most.
        assert.ok(stealNs <= measuredNs && stealNs > measuredNs - workload.periodNs, `${stealNs} of ${measuredNs} ns`);
        assert.ok(haltNs > 100 * NS_PER_MS);
      });
    }
  });
});
