import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { MSR_KVM_SYSTEM_TIME_NEW } from "../src/shared/kvm-abi.js";
import { flagsOf, SHIFT_AND_FLAGS_WORD, STEAL_MS_WORD } from "../src/shared/pvclock-page.js";
import { U64 } from "../src/shared/u64.js";
import { NS_PER_MS, NS_PER_US, type Ns } from "../src/shared/units.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { pvclockNs } from "./fixtures/pvclock-struct.js";
import { checkerOf, machineOf, pageOf, runToEnd, virtually } from "./virtual-helpers.js";

/** What the tests of other implementations assert, on virtual machines. */

function inGuest(machine: VirtualMachine, vcpu: number): boolean {
  return checkerOf(machine).witnesses[vcpu].inGuest;
}

// tools/testing/selftests/kvm/steal_time.c of the kernel.
describe("KVM selftest steal_time", () => {
  const VCPUS = [0, 1, 2, 3];
  /** A thread of the host that burns 200 us on the vCPUs' pCPU now and then. */
  const THIEF: ScenarioChanges["hostTasks"] = [
    { workload: { kind: "duty", busyNs: 200 * NS_PER_US, periodNs: 5 * NS_PER_MS }, nice: 0, pcpus: [0] },
  ];
  const STEAL_FLAG = 0b100;

  function fourOnOne(changes: ScenarioChanges = {}): VirtualMachine {
    const scenario = scenarioOf({
      vcpuCount: 4,
      vcpu: { pcpus: [0] },
      pcpus: 2,
      durationNs: 500 * NS_PER_MS,
      ...changes,
    });
    return new VirtualMachine(virtually(scenario));
  }

  test("the MSR was accepted, and the page is where it said", () => {
    const { host, guests } = fourOnOne();
    for (const vcpu of VCPUS) {
      const gpa = 4096 + vcpu * (4096 + 64);
      assert.equal(host.platform.refusalOf(vcpu), null);
      assert.equal(host.publisher.pageOf(vcpu).base * 4, gpa);
      assert.ok(guests[vcpu].time.registered && guests[vcpu].time.stealClock.active);
    }
  });

  test("after its first entry a vCPU's version is even, its flags are the steal flag's, its steal is what it waited", () => {
    const machine = fourOnOne({ hostTasks: THIEF });
    const seen = new Set<number>();
    machine.onInstant = () => {
      for (const vcpu of VCPUS.filter((id) => !seen.has(id) && inGuest(machine, id))) {
        seen.add(vcpu);
        const { version, flags, stealMs } = pageOf(machine, vcpu);
        assert.equal(version % 2, 0);
        assert.equal(flags, STEAL_FLAG);
        const { waitNs } = machine.host.ledger.vcpus[vcpu];
        assert.ok(stealMs * NS_PER_MS <= waitNs, `${stealMs} ms <= ${waitNs} ns`);
        assert.equal(stealMs, 4 * vcpu, "one slice of each that was before it");
      }
    };
    machine.run(20 * NS_PER_MS);
    assert.deepEqual([...seen], VCPUS);
  });

  for (const measure of ["out-of-guest", "wait"] as const) {
    test(`steal grows by no less than run_delay while a thief burns time, measure ${measure}`, () => {
      const machine = fourOnOne({ hostTasks: THIEF, measure });
      const last = VCPUS.map(() => ({ stealMs: 0, waitNs: 0, version: 0 }));
      let syncs = 0;
      // A guest syncs with its test whenever it runs; here, at the end of every instant in which it does.
      machine.onInstant = () => {
        for (const vcpu of VCPUS.filter((id) => inGuest(machine, id))) {
          const { stealMs, version } = pageOf(machine, vcpu);
          const { waitNs } = machine.host.ledger.vcpus[vcpu];
          const stealGrewNs = (stealMs - last[vcpu].stealMs) * NS_PER_MS;
          const waitGrewNs = waitNs - last[vcpu].waitNs;
          assert.ok(stealGrewNs > waitGrewNs - NS_PER_MS, `${stealGrewNs} ns, run_delay grew by ${waitGrewNs}`);
          assert.ok(stealMs * NS_PER_MS <= waitNs);
          if (waitGrewNs > 0) assert.ok(version > last[vcpu].version, "and its version grew");
          last[vcpu] = { stealMs, waitNs, version };
          syncs++;
        }
      };
      machine.run(500 * NS_PER_MS);
      assert.ok(syncs > 200, `${syncs} syncs`);
      for (const { stealMs } of last) assert.ok(stealMs > 300, `${stealMs} ms of 500`);
    });
  }

  test("the version grows strictly from one stay on the pCPU to the next, and is even before and after each read", () => {
    const machine = fourOnOne();
    const versions: number[][] = VCPUS.map(() => []);
    for (let slice = 1; slice <= 40; slice++) {
      machine.run(slice * 4 * NS_PER_MS - 1);
      for (const vcpu of VCPUS.filter((id) => inGuest(machine, id))) {
        const { version } = pageOf(machine, vcpu);
        assert.ok(machine.guests[vcpu].time.readOwn());
        assert.equal(pageOf(machine, vcpu).version, version);
        versions[vcpu].push(version);
      }
    }
    for (const seen of versions) {
      assert.equal(seen.length, 10);
      seen.forEach((version, index) => {
        assert.equal(version % 2, 0);
        assert.ok(index === 0 || version > seen[index - 1], `${seen}`);
      });
    }
  });

  test("reserved bits and unaligned addresses are refused", () => {
    const machine = fourOnOne();
    const { base } = machine.host.publisher.pageOf(0);
    for (const value of [base * 4 + 3, base * 4 + 4 + 1, base * 4 + 32 + 1]) {
      const halves = new U64().setNumber(value);
      assert.equal(machine.hypercallsOf(0).writeMsr(MSR_KVM_SYSTEM_TIME_NEW, halves), false, `${value}`);
    }
    machine.run(100 * NS_PER_MS);
    assert.equal(machine.host.publisher.pageOf(0).base, base, "the page in use is still that");
    assert.ok(pageOf(machine, 0).version > 2);
  });

  test("a page that the guest took back before it goes offline is not written any more", () => {
    const machine = fourOnOne();
    machine.run(100 * NS_PER_MS);
    const { base } = machine.host.publisher.pageOf(2);
    machine.guests[2].time.unregister();
    const words = [...machine.ram.subarray(base, base + 8)];
    machine.run(300 * NS_PER_MS);
    assert.deepEqual([...machine.ram.subarray(base, base + 8)], words);
    assert.equal(flagsOf(words[SHIFT_AND_FLAGS_WORD]), STEAL_FLAG);
    assert.ok(words[STEAL_MS_WORD] > 0);
  });
});

// tools/testing/selftests/kvm/x86/xen_shinfo_test.c, its runstate part.
describe("KVM selftest xen_shinfo", () => {
  test("at every sync the present state was entered when all states together say", () => {
    const duty = { kind: "duty", busyNs: 1_500 * NS_PER_US, periodNs: 7 * NS_PER_MS } as const;
    const scenario = scenarioOf({ vcpuCount: 5, pcpus: 2, startAtNs: 12_345 });
    const workloads = [{ kind: "hog" }, duty, { kind: "idle" }, { kind: "mixed" }, duty] as const;
    const vcpus = scenario.vcpus.map((byDefault, id) => ({ ...byDefault, workload: workloads[id] }));
    const machine = new VirtualMachine(virtually({ ...scenario, vcpus }));
    let syncs = 0;
    const sync = (now: Ns): void => {
      for (const { sinceNs, runNs, waitNs, haltNs, offlineNs } of machine.host.ledger.vcpus) {
        syncs++;
        assert.equal(sinceNs - machine.startNs, runNs + waitNs + haltNs + offlineNs);
        assert.ok(sinceNs <= now);
      }
    };
    machine.onInstant = sync;
    runToEnd(machine);
    sync(machine.now);
    assert.ok(syncs > 1_000, `${syncs} syncs`);
  });
});

// tools/testing/selftests/kvm/x86/kvm_clock_test.c.
describe("KVM selftest kvm_clock", () => {
  for (const update of [{ kind: "entry" }, { kind: "periodic", periodNs: NS_PER_MS }] as const) {
    test(`the guest's clock lies between the host's stamps before and after, update ${update.kind}`, () => {
      const hostTasks = [{ workload: { kind: "hog" }, nice: 0, pcpus: null }] as const;
      const startAtNs = 1_000_000_007;
      const machine = machineOf({ vcpuCount: 1, hostTasks, update, tscKhz: 2_599_998, startAtNs });
      // The host's clock by the page's own arithmetic, as KVM_GET_CLOCK works it out.
      const hostNs = (): bigint => pvclockNs(pageOf(machine, 0), (BigInt(machine.now) * 2_599_998n) / 1_000_000n);
      const versions = new Set<number>();
      for (let step = 1; step <= 1_000; step++) {
        machine.run(step * 123_457);
        const startNs = hostNs();
        machine.now += 300 + (step % 7);
        const guestNs = BigInt(machine.guests[0].time.nowNs(machine.now));
        machine.now += 300 + (step % 5);
        const endNs = hostNs();
        assert.ok(startNs <= guestNs && guestNs <= endNs, `${startNs} <= ${guestNs} <= ${endNs}`);
        versions.add(pageOf(machine, 0).version);
      }
      assert.ok(versions.size > 10, "over many updates");
    });
  }
});

// x86/kvmclock_test.c of kvm-unit-tests.
describe("kvm-unit-tests kvmclock_test", () => {
  test("no backward step in 200,000 reads on each of two vCPUs, whose pages are stamped anew meanwhile", () => {
    const hostTasks = [{ workload: { kind: "hog" }, nice: 0, pcpus: null }] as const;
    const machine = machineOf({ pcpus: 2, hostTasks, sliceNs: 100 * NS_PER_US, tscKhz: 2_599_998 });
    let lastNs = 0;
    let largestRawNs = 0;
    let rawSteps = 0;
    let stepsBack = 0;
    const read = (vcpu: number): void => {
      const { time } = machine.guests[vcpu];
      const ns = time.nowNs(machine.now);
      if (ns < lastNs) stepsBack++;
      lastNs = ns;
      if (time.kvmclock.rawNs < largestRawNs) rawSteps++;
      largestRawNs = Math.max(largestRawNs, time.kvmclock.rawNs);
    };
    for (let round = 1; round <= 2_000; round++) {
      machine.run(round * 10 * NS_PER_US);
      for (let turn = 0; turn < 100; turn++) {
        read(turn % 2);
        read(1 - (turn % 2));
        machine.now += turn % 3;
      }
    }
    assert.equal(stepsBack, 0);
    assert.ok(rawSteps > 0, "without the guard there would have been some");
    const updates = [0, 1].map((vcpu) => machine.host.publisher.pageOf(vcpu).updates);
    assert.ok(Math.min(...updates) > 10 && Math.max(...updates) > 50, `${updates} updates`);
    assert.ok(lastNs > machine.now - 4 && lastNs <= machine.now);
  });
});

// tests/integration_tests/functional/test_steal_time.py of Firecracker.
describe("Firecracker test_steal_time", () => {
  test("two hogs, both vCPUs on one pCPU: steal grows on both from one look at /proc/stat to the next", () => {
    for (const accounting of ["rfc-v2", "mainline"] as const) {
      const machine = machineOf({ accounting, pcpus: 2, vcpu: { pcpus: [0] } });
      const looks = [100, 200, 300].map((ms) => {
        machine.run(ms * NS_PER_MS);
        return machine.guests.map(({ cpuTime }) => cpuTime.stealNs);
      });
      looks.forEach((stealNs, look) => {
        for (const vcpu of [0, 1]) {
          const before = look === 0 ? 0 : looks[look - 1][vcpu];
          assert.ok(stealNs[vcpu] > before, `vCPU ${vcpu}: ${stealNs[vcpu]} ns after ${before}`);
        }
      });
    }
  });

  test("and does not once each has a pCPU of its own", () => {
    const scenario = scenarioOf({ pcpus: 2 });
    const vcpus = scenario.vcpus.map((byDefault, id) => ({ ...byDefault, pcpus: [id] }));
    const machine = new VirtualMachine(virtually({ ...scenario, vcpus }));
    machine.run(300 * NS_PER_MS);
    assert.deepEqual(
      machine.guests.map(({ cpuTime }) => cpuTime.stealNs),
      [0, 0],
    );
  });
});
