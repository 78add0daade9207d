import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { StealUnit } from "../src/engine/scenario.js";
import type { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { OutState } from "../src/host/sched-notifier.js";
import { MAX_TIME_NS, NS_PER_MS, NS_PER_SECOND, NS_PER_US, type Ns, TWO_POW_32 } from "../src/shared/units.js";
import type { ScenarioChanges } from "./engine-helpers.js";
import { assertSound, machineOf, observerOf, pageOf, runToEnd, runVirtually } from "./virtual-helpers.js";

/** Machines that have been up for so long that doubles and 32-bit fields come to their ends. */

const TICK_NS = 4 * NS_PER_MS;
const MS = BigInt(NS_PER_MS);

/** One vCPU's time, from what the host's notifications say, without a double: for comparison with what was published. */
class ExactBooks {
  readonly #totals = { run: 0n, wait: 0n, halt: 0n };
  #state: keyof ExactBooks["totals"] = "wait";
  #sinceNs: bigint;

  constructor(startNs: Ns) {
    this.#sinceNs = BigInt(startNs);
  }

  get totals() {
    return this.#totals;
  }

  changeTo(state: keyof ExactBooks["totals"], now: Ns): void {
    this.#totals[this.#state] += BigInt(now) - this.#sinceNs;
    this.#sinceNs = BigInt(now);
    this.#state = state;
  }
}

describe("just below 100 days of uptime", () => {
  const DURATION_NS = 2 * NS_PER_SECOND;
  const START_NS = MAX_TIME_NS - DURATION_NS;
  const VCPUS = 3;

  interface Watched {
    readonly machine: VirtualMachine;
    readonly books: readonly ExactBooks[];
    readonly updates: () => number;
  }

  /** A machine whose every update is held against exact arithmetic. */
  function watched(tscKhz: number, changes: ScenarioChanges): Watched {
    const books = Array.from({ length: VCPUS }, () => new ExactBooks(START_NS));
    let updates = 0;
    const observer = observerOf({
      schedIn: (vcpu, _pcpu, now) => books[vcpu].changeTo("run", now),
      schedOut: (vcpu, state, now) => books[vcpu].changeTo(state === OutState.Halt ? "halt" : "wait", now),
      woken: (vcpu, now) => books[vcpu].changeTo("wait", now),
      published: (vcpu, _version, _stealNs, now) => {
        // At boot the machine is not there to be looked at yet.
        if (now === START_NS) return;
        updates++;
        const { wait, halt } = books[vcpu].totals;
        const expectedNs = BigInt(START_NS) + wait + (machine.scenario.measure === "wait" ? 0n : halt);
        const page = pageOf(machine, vcpu);
        assert.equal(page.tscTimestamp, (BigInt(now) * BigInt(tscKhz)) / 1_000_000n);
        assert.equal(page.systemTimeNs, BigInt(now));
        assert.equal(BigInt(page.stealMs), (expectedNs / MS) % BigInt(TWO_POW_32));
        if (machine.scenario.stealUnit === "ns") assert.equal(page.stealNs, expectedNs);
      },
    });
    const duty = { kind: "duty", busyNs: 1_234_567, periodNs: 3_141_593 } as const;
    const machine = machineOf(
      {
        vcpuCount: VCPUS,
        pcpus: 2,
        hostTasks: [{ workload: duty, nice: 3, pcpus: null }],
        vcpu: { workload: duty },
        sliceNs: 777_777,
        durationNs: DURATION_NS,
        startAtNs: START_NS,
        tscKhz,
        ...changes,
      },
      { observer },
    );
    return { machine, books, updates: () => updates };
  }

  for (const stealUnit of ["ms", "ns"] as const satisfies readonly StealUnit[]) {
    for (const measure of ["out-of-guest", "wait"] as const) {
      for (const tscKhz of [2_600_000, 2_599_998, 10_000_000]) {
        test(`${stealUnit}, ${measure}, ${tscKhz} kHz: TSC, system time and steal are exact to the last bit`, () => {
          const { machine, books, updates } = watched(tscKhz, { stealUnit, measure });
          const result = runToEnd(machine);
          assertSound(result);
          assert.ok(updates() > 1_000, `${updates()} updates`);
          assert.equal(result.elapsedNs, DURATION_NS);
          result.vcpus.forEach(({ host, guest, clock }, vcpu) => {
            books[vcpu].changeTo("wait", machine.now);
            const { run, wait, halt } = books[vcpu].totals;
            assert.deepEqual([host.runNs, host.waitNs, host.haltNs].map(BigInt), [run, wait, halt]);
            assert.equal(run + wait + halt, BigInt(DURATION_NS));
            assert.equal(guest.ticks + guest.lostTicks, DURATION_NS / TICK_NS);
            assert.equal(clock.backwardSteps, 0);
          });
          assert.ok(BigInt(machine.now) * BigInt(tscKhz) > (1n << 53n) * 1_000_000n, "the TSC is beyond a double");
        });
      }
    }
  }

  test("a run does what it does from 0 on, to the ns", () => {
    const run = (startAtNs: Ns) => {
      const chance = { jitterPercent: 20, wakeLatencyNs: 30 * NS_PER_US, hostNoiseNs: 50 * NS_PER_US };
      // Shorter: the last ones leave a little after its end.
      const { scenario } = watched(2_600_000, { stealUnit: "ns", chance }).machine;
      const { vcpus } = runVirtually({ ...scenario, startAtNs, durationNs: DURATION_NS / 2 });
      return vcpus.map(({ host, guest }) => ({ host, guest }));
    };
    assert.deepEqual(run(START_NS), run(0));
  });
});

describe("the 32-bit steal field", () => {
  const WRAP_NS = TWO_POW_32 * NS_PER_MS;
  const TO_WRAP_NS = 500 * NS_PER_MS;
  const DURATION_NS = 3 * NS_PER_SECOND;

  interface Seen {
    /** Each value of vCPU 0's field, in order. */
    readonly published: number[];
    /** Its guest's sum at each of them. */
    readonly guestNs: Ns[];
    readonly stealNs: Ns;
    readonly trueNs: Ns;
  }

  function twoHogs(accounting: "rfc-v2" | "mainline", startAtNs: Ns): Seen {
    const published: number[] = [];
    const guestNs: Ns[] = [];
    const observer = observerOf({
      published: (vcpu, _version, _stealNs, now) => {
        if (vcpu !== 0 || now === startAtNs) return;
        published.push(pageOf(machine, 0).stealMs);
        guestNs.push(machine.guests[0].cpuTime.stealNs);
      },
    });
    const machine: VirtualMachine = machineOf({ accounting, startAtNs, durationNs: DURATION_NS }, { observer });
    const result = runToEnd(machine);
    assertSound(result);
    const { guest, host } = result.vcpus[0];
    guestNs.push(guest.stealNs);
    return { published, guestNs, stealNs: guest.stealNs, trueNs: host.waitNs };
  }

  /** Differences in a number of 53 bits, as a port would take them that forgot how wide the field is. */
  function widenedMs(published: readonly number[]): number {
    return published.reduce((sum, value, index) => sum + (index === 0 ? 0 : value - published[index - 1]), 0);
  }

  /** Differences modulo 2^32. */
  function modularMs(published: readonly number[]): number {
    return published.reduce((sum, value, index) => sum + (index === 0 ? 0 : (value - published[index - 1]) >>> 0), 0);
  }

  for (const accounting of ["rfc-v2", "mainline"] as const) {
    test(`${accounting}: wraps in the middle of a run, and the guest's steal goes on growing as it should`, () => {
      const { published, guestNs, stealNs, trueNs } = twoHogs(accounting, WRAP_NS - TO_WRAP_NS);
      const falls = published.filter((value, index) => index > 0 && value < published[index - 1]);
      assert.equal(falls.length, 1, "the field fell once");
      assert.ok(published[0] > TWO_POW_32 - 500 && (published.at(-1) ?? 0) > 900);
      assert.ok(guestNs.every((ns, index) => index === 0 || ns >= guestNs[index - 1]));
      assert.equal(trueNs, DURATION_NS / 2);
      assert.ok(stealNs <= trueNs && trueNs - stealNs <= TICK_NS, `${stealNs} ns of ${trueNs}`);
    });
  }

  test("is misread by who widens it: a reader that takes differences in 53 bits loses 49.71 days at the wrap", () => {
    const across = twoHogs("mainline", WRAP_NS - TO_WRAP_NS).published;
    const wholeRunMs = (DURATION_NS / NS_PER_MS - 8) / 2;
    assert.ok(Math.abs(modularMs(across) - wholeRunMs) <= 8);
    assert.equal(widenedMs(across), modularMs(across) - TWO_POW_32);
    assert.ok(widenedMs(across) < 0);
    // Where nothing wraps the two agree, and nobody notices.
    const before = twoHogs("mainline", WRAP_NS - 2 * DURATION_NS).published;
    assert.equal(widenedMs(before), modularMs(before));
  });

  test("starts where the machine's uptime says, and that is not the guest's", () => {
    const machine = machineOf({ startAtNs: WRAP_NS - TO_WRAP_NS, durationNs: DURATION_NS });
    for (const vcpu of [0, 1]) {
      assert.equal(pageOf(machine, vcpu).stealMs, TWO_POW_32 - 500);
      assert.equal(machine.guests[vcpu].cpuTime.stealNs, 0);
    }
  });

  // The cover letter says that 32 bits of milliseconds hold 8 years.
  test("holds 49.71 days and not 8 years, which would take a unit of 58.8 ms", () => {
    const msPerDay = 86_400_000;
    assert.equal((TWO_POW_32 / msPerDay).toFixed(2), "49.71");
    assert.equal(((8 * 365.25 * msPerDay) / TWO_POW_32).toFixed(1), "58.8");
    // A field that has counted 49.71 days holds next to nothing.
    const { published } = twoHogs("mainline", Math.ceil(49.711 * msPerDay) * NS_PER_MS);
    assert.ok(published[0] < 100_000, `${published[0]} ms`);
    const { published: dayBefore } = twoHogs("mainline", 48.71 * msPerDay * NS_PER_MS);
    assert.ok(dayBefore[0] > TWO_POW_32 - 1.1 * msPerDay);
  });
});
