import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { buildChecker, buildHost } from "../src/engine/build-host.js";
import type { RunChecker } from "../src/engine/check/run-checker.js";
import { HostCommand } from "../src/host/command-ring.js";
import { LedgerState } from "../src/host/ledger.js";
import type { LinuxHost } from "../src/host/linux-host.js";
import { NEVER } from "../src/shared/deadline-heap.js";
import { ExitReason, MSR_KVM_SYSTEM_TIME_NEW } from "../src/shared/kvm-abi.js";
import { GUEST_PAGE_BYTES, STEAL_NS_WORD } from "../src/shared/pvclock-page.js";
import { Tsc } from "../src/shared/tsc.js";
import { U64 } from "../src/shared/u64.js";
import { NS_PER_MS, type Ns } from "../src/shared/units.js";
import { scenarioOf } from "./engine-helpers.js";

const START_NS = 5 * NS_PER_MS;

interface Machine {
  readonly ram: Int32Array;
  readonly host: LinuxHost;
  readonly checker: RunChecker;
}

/** A linux host whose vCPUs have booted and registered, at START_NS. Nobody has told it anything since. */
function begun(vcpuCount: number): Machine {
  const ram = new Int32Array(new SharedArrayBuffer((vcpuCount + 1) * GUEST_PAGE_BYTES));
  const scenario = scenarioOf({ host: "linux", measure: "wait", pcpus: 0, stealUnit: "ns", vcpuCount });
  const checker = buildChecker(scenario, ram);
  const parts = { auditOf: () => null, tsc: new Tsc(scenario.tscKhz), observers: [checker] };
  const built = buildHost(scenario, ram, parts);
  if (built.kind !== "linux") throw new TypeError("asked for a linux host");
  const { host } = built;
  for (let vcpu = 0; vcpu < vcpuCount; vcpu++) {
    assert.ok(host.writeMsr(vcpu, MSR_KVM_SYSTEM_TIME_NEW, new U64().setNumber(gpaOf(vcpu) + 1), 0));
  }
  checker.begin(START_NS);
  host.begin(START_NS);
  return { ram, host, checker };
}

function gpaOf(vcpu: number): number {
  return (vcpu + 1) * GUEST_PAGE_BYTES;
}

/** What a driver does with what it read from schedstat. */
function observe({ host, checker }: Machine, vcpu: number, waitedNs: Ns, slices: number, now: Ns): void {
  if (waitedNs > 0) checker.waited(vcpu, waitedNs, now);
  host.observe(vcpu, waitedNs, slices, now);
}

function drain({ host: { commands } }: Machine): [HostCommand, number][] {
  const drained: [HostCommand, number][] = [];
  for (; !commands.empty; commands.drop()) drained.push([commands.command, commands.vcpu]);
  return drained;
}

/** An account in whole ms: run, wait, halt, offline. */
function accountMs({ host }: Machine, vcpu: number): number[] {
  const { runNs, waitNs, haltNs, offlineNs } = host.ledger.vcpus[vcpu];
  return [runNs, waitNs, haltNs, offlineNs].map((ns) => ns / NS_PER_MS);
}

function pageStealNs({ ram }: Machine, vcpu: number): Ns {
  const words = ram.subarray(gpaOf(vcpu) / 4);
  return new U64().set(words[STEAL_NS_WORD + 1], words[STEAL_NS_WORD]).toNumber();
}

const atMs = (ms: number): Ns => START_NS + ms * NS_PER_MS;

describe("the linux host's vCPUs run free", () => {
  test("all are granted at once when the run begins", () => {
    const machine = begun(3);
    assert.deepEqual(
      drain(machine),
      [0, 1, 2].map((vcpu) => [HostCommand.Grant, vcpu]),
    );
    assert.equal(machine.host.nextDeadline, NEVER);
    assert.equal(machine.host.quiescent, false);
  });

  test("what the real kernel says that a thread waited comes out of its run time, and onto its page", () => {
    const machine = begun(2);
    const { updates } = machine.host.publisher.pageOf(0);
    observe(machine, 0, 3 * NS_PER_MS, 4, atMs(10));
    assert.deepEqual(accountMs(machine, 0), [7, 3, 0, 0]);
    assert.equal(pageStealNs(machine, 0), 3 * NS_PER_MS);
    assert.equal(machine.host.publisher.pageOf(0).updates, updates + 1);
    observe(machine, 0, 2 * NS_PER_MS, 1, atMs(12));
    assert.deepEqual(accountMs(machine, 0), [7, 5, 0, 0]);
    assert.equal(pageStealNs(machine, 0), 5 * NS_PER_MS);
    assert.equal(pageStealNs(machine, 1), 0, "nobody else's");
  });

  test("a look that found no wait writes nothing", () => {
    const machine = begun(1);
    const { updates } = machine.host.publisher.pageOf(0);
    observe(machine, 0, 0, 2, atMs(10));
    assert.equal(machine.host.publisher.pageOf(0).updates, updates);
    assert.equal(machine.host.ledger.vcpus[0].totalNs(LedgerState.Run, atMs(10)), 10 * NS_PER_MS);
  });

  test("entries are the time slices that the kernel counted", () => {
    const machine = begun(1);
    const [account] = machine.host.ledger.vcpus;
    observe(machine, 0, 0, 3, atMs(1));
    assert.equal(account.entries, 3, "the grant itself is one of them");
    machine.host.exited(0, ExitReason.Halted, atMs(5), atMs(2));
    machine.host.advance(atMs(5));
    observe(machine, 0, 0, 1, atMs(6));
    assert.equal(account.entries, 4);
    assert.equal(account.migrations, 0);
  });
});

// The grant ends a wait of 0 ns in the ledger, and the real one is booked beside it when schedstat tells.
describe("the distribution of waits on the linux host", () => {
  test("has one wait for each wake-up, and the median of equal waits is that wait", () => {
    const machine = begun(1);
    for (let period = 0; period < 10; period++) {
      machine.host.exited(0, ExitReason.Halted, atMs(10 * period + 5), atMs(10 * period + 1));
      machine.host.advance(atMs(10 * period + 5));
      drain(machine);
      observe(machine, 0, 2 * NS_PER_MS, 1, atMs(10 * period + 9));
    }
    const account = machine.host.ledger.vcpus[0];
    assert.deepEqual([account.waitNs, account.maxWaitNs], [20 * NS_PER_MS, 2 * NS_PER_MS]);
    assert.equal(account.waitQuantileNs(0.5), 2 * NS_PER_MS);
  });
});

describe("halted on the linux host", () => {
  test("time from HLT to the timer is halt, is published as nothing, and the vCPU is granted again", () => {
    const machine = begun(1);
    drain(machine);
    machine.host.exited(0, ExitReason.Halted, atMs(9), atMs(2));
    assert.ok(machine.host.quiescent);
    assert.equal(machine.host.nextDeadline, atMs(9));
    machine.host.advance(atMs(8));
    assert.deepEqual(drain(machine), []);
    machine.host.advance(atMs(10));
    assert.deepEqual(drain(machine), [[HostCommand.Grant, 0]]);
    assert.deepEqual(accountMs(machine, 0), [2, 0, 8, 0]);
    assert.equal(pageStealNs(machine, 0), 0);
    assert.equal(machine.host.nextDeadline, NEVER);
  });

  test("an interrupt wakes before the timer, which then does nothing", () => {
    const machine = begun(1);
    drain(machine);
    machine.host.exited(0, ExitReason.Halted, atMs(9), atMs(2));
    machine.host.interrupt(0, atMs(4));
    machine.host.advance(atMs(9));
    assert.deepEqual(drain(machine), [[HostCommand.Grant, 0]]);
    assert.deepEqual(accountMs(machine, 0), [2, 0, 2, 0]);
  });

  test("an interrupt before the HLT is not lost, and wakes from one HLT only", () => {
    const machine = begun(1);
    drain(machine);
    machine.host.interrupt(0, atMs(1));
    assert.deepEqual(drain(machine), []);
    machine.host.exited(0, ExitReason.Halted, atMs(9), atMs(2));
    assert.deepEqual(drain(machine), [[HostCommand.Grant, 0]]);
    assert.deepEqual(accountMs(machine, 0), [2, 0, 0, 0]);
    machine.host.exited(0, ExitReason.Halted, atMs(9), atMs(3));
    assert.deepEqual(drain(machine), []);
  });

  test("a wait that is seen only when the vCPU has halted comes out of halt: it was taken off before it parked", () => {
    const machine = begun(1);
    machine.host.exited(0, ExitReason.Halted, NEVER, atMs(5));
    observe(machine, 0, 2 * NS_PER_MS, 1, atMs(7));
    machine.host.ledger.close(atMs(10));
    assert.deepEqual(accountMs(machine, 0), [5, 2, 3, 0]);
    assert.equal(pageStealNs(machine, 0), 2 * NS_PER_MS);
  });
});

describe("stamps that come late on the linux host", () => {
  for (const [reason, account] of [
    [ExitReason.Halted, [3, 3, 4, 0]],
    [ExitReason.Offline, [3, 3, 0, 4]],
  ] as const) {
    test(`a wait longer than the vCPU has been out comes out of its run as well (exit ${reason})`, () => {
      const machine = begun(1);
      machine.host.exited(0, reason, NEVER, atMs(5));
      observe(machine, 0, 3 * NS_PER_MS, 1, atMs(6));
      assert.deepEqual(accountMs(machine, 0), [3, 3, 0, 0]);
      machine.host.ledger.close(atMs(10));
      assert.deepEqual(accountMs(machine, 0), account);
    });
  }

  test("a wait longer than the vCPU has been in comes out of the halt before it", () => {
    const machine = begun(1);
    machine.host.exited(0, ExitReason.Halted, atMs(9), atMs(1));
    machine.host.advance(atMs(9));
    observe(machine, 0, 4 * NS_PER_MS, 1, atMs(10));
    assert.deepEqual(accountMs(machine, 0), [0, 4, 6, 0]);
  });

  // The vCPU stamped its exit, then the hypervisor observed, then it collected the exit.
  test("an exit stamp older than the last observation does not go back in time", () => {
    const machine = begun(1);
    observe(machine, 0, NS_PER_MS, 1, atMs(10));
    machine.host.exited(0, ExitReason.Halted, atMs(20), atMs(9));
    machine.host.ledger.close(atMs(15));
    assert.deepEqual(accountMs(machine, 0), [9, 1, 5, 0]);
    assert.equal(machine.host.ledger.vcpus[0].sinceNs, atMs(15));
  });

  test("an observation at an instant that the ledger has passed moves only the wait", () => {
    const machine = begun(1);
    machine.host.exited(0, ExitReason.Halted, atMs(12), atMs(10));
    machine.host.advance(atMs(12));
    observe(machine, 0, NS_PER_MS, 1, atMs(11));
    assert.deepEqual(accountMs(machine, 0), [9, 1, 2, 0]);
    assert.equal(machine.host.ledger.vcpus[0].sinceNs, atMs(12));
  });
});

describe("the end of a run on the linux host", () => {
  test("only who runs is kicked, and nobody is woken any more", () => {
    const machine = begun(3);
    drain(machine);
    machine.host.exited(1, ExitReason.Halted, atMs(9), atMs(2));
    machine.host.stop();
    assert.deepEqual(drain(machine), [
      [HostCommand.Kick, 0],
      [HostCommand.Kick, 2],
    ]);
    assert.equal(machine.host.nextDeadline, NEVER);
    machine.host.interrupt(1, atMs(3));
    assert.deepEqual(drain(machine), []);

    machine.host.exited(0, ExitReason.Kicked, atMs(3), atMs(3));
    assert.equal(machine.host.quiescent, false);
    // One halts instead of hearing the kick.
    machine.host.exited(2, ExitReason.Halted, atMs(4), atMs(3));
    assert.equal(machine.host.quiescent, true);
    machine.host.advance(atMs(10));
    assert.deepEqual(drain(machine), []);
    machine.host.ledger.close(atMs(10));
    assert.deepEqual(
      [0, 1, 2].map((vcpu) => accountMs(machine, vcpu)),
      [
        [3, 0, 0, 7],
        [2, 0, 8, 0],
        [3, 0, 7, 0],
      ],
    );
  });
});

/** What a driver could tell: time passes, a thread halts, waits, or has an interrupt. */
const anyEvents = fc.array(
  fc.record({
    kind: fc.constantFrom("pass", "halt", "observe", "observe", "interrupt"),
    vcpu: fc.nat(1),
    passNs: fc.nat(3 * NS_PER_MS),
    /** How old a stamp is when the hypervisor hears of it; how long the timer is set. */
    ns: fc.nat(2 * NS_PER_MS),
  }),
  { maxLength: 80 },
);

class Driver {
  readonly machine = begun(2);
  readonly #running = new Set<number>();
  now = START_NS;

  constructor() {
    this.#drainGrants();
  }

  step(kind: string, vcpu: number, ns: Ns): void {
    const { host } = this.machine;
    if (kind === "halt" && this.#running.delete(vcpu)) {
      const stamp = Math.max(START_NS, this.now - ns);
      host.exited(vcpu, ExitReason.Halted, stamp + 2 * NS_PER_MS + 1, stamp);
    }
    if (kind === "observe") observe(this.machine, vcpu, ns, 1, this.now);
    if (kind === "interrupt") host.interrupt(vcpu, this.now);
    host.advance(this.now);
    this.#drainGrants();
  }

  #drainGrants(): void {
    for (const [, vcpu] of drain(this.machine)) this.#running.add(vcpu);
  }
}

describe("conservation on the linux host", () => {
  test("all states add up to elapsed time, the checker agrees, and the page has the wait", () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const driver = new Driver();
        const { host, checker } = driver.machine;
        for (const { kind, vcpu, passNs, ns } of events) {
          driver.now += passNs;
          driver.step(kind, vcpu, ns);
        }
        driver.now += 3 * NS_PER_MS;
        for (const vcpu of [0, 1]) observe(driver.machine, vcpu, 0, 0, driver.now);
        host.ledger.close(driver.now);
        checker.close(driver.now);
        assert.deepEqual(checker.violations, []);
        host.ledger.vcpus.forEach(({ runNs, waitNs, haltNs, offlineNs }, vcpu) => {
          assert.equal(runNs + waitNs + haltNs + offlineNs, driver.now - START_NS);
          const witness = checker.witnesses[vcpu];
          assert.deepEqual([runNs, waitNs, haltNs], [witness.runNs, witness.waitNs, witness.haltNs]);
          assert.equal(pageStealNs(driver.machine, vcpu), waitNs);
          assert.equal(witness.log.lastStealNs, waitNs);
        });
      }),
      { seed: 20100830, numRuns: 300 },
    );
  });
});
