import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ChanceConfig, Scenario, TimelineEvent, Workload } from "../src/engine/scenario.js";
import { VirtualMachine, type VirtualMachineOptions } from "../src/engine/virtual/virtual-machine.js";
import { GuestCpu } from "../src/guest/guest-cpu.js";
import { NS_PER_MS, NS_PER_US, type Ns } from "../src/shared/units.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { assertSound, machineOf, observerOf, runToEnd, virtually } from "./virtual-helpers.js";

const NO_CHANCE: ChanceConfig = { jitterPercent: 0, wakeLatencyNs: 0, hostNoiseNs: 0 };
const CHANCE: ChanceConfig = { jitterPercent: 20, wakeLatencyNs: 40 * NS_PER_US, hostNoiseNs: 300 * NS_PER_US };
const DUTY: Workload = { kind: "duty", busyNs: 1_500 * NS_PER_US, periodNs: 6 * NS_PER_MS };
const WORKLOADS: readonly Workload[] = [{ kind: "hog" }, DUTY, { kind: "mixed" }, { kind: "idle" }, DUTY];

/** Everything at once: all workloads, host tasks, chance, a CPU that goes offline. */
function busyScenario(changes: ScenarioChanges = {}): Scenario {
  const timeline: TimelineEvent[] = [{ kind: "offline", atNs: 90 * NS_PER_MS, forNs: 40 * NS_PER_MS, vcpu: 2 }];
  const scenario = virtually(
    scenarioOf({
      vcpuCount: WORKLOADS.length,
      pcpus: 2,
      hostTasks: [{ workload: { kind: "duty", busyNs: NS_PER_MS, periodNs: 9 * NS_PER_MS }, nice: 2, pcpus: [1] }],
      update: { kind: "periodic", periodNs: 3 * NS_PER_MS },
      chance: CHANCE,
      timeline,
      seed: 42,
      ...changes,
    }),
  );
  return { ...scenario, vcpus: scenario.vcpus.map((vcpu, id) => ({ ...vcpu, workload: WORKLOADS[id] })) };
}

/** A result as text: what a run prints. */
function textOf(scenario: Scenario, options: VirtualMachineOptions = {}): string {
  return JSON.stringify(runToEnd(new VirtualMachine(scenario, options)));
}

/** The same but for the seed that it says. */
function figuresOf(scenario: Scenario): string {
  const { vcpus, invariants, elapsedNs } = runToEnd(new VirtualMachine(scenario));
  return JSON.stringify({ vcpus, invariants, elapsedNs });
}

describe("a run in virtual time", () => {
  test("repeats itself to the last byte", () => {
    for (const changes of [{}, { accounting: "mainline", stealUnit: "ns" }, { measure: "wait", pcpus: 3 }] as const) {
      const scenario = busyScenario(changes);
      assert.equal(textOf(scenario), textOf(scenario));
    }
  });

  test("of another seed is another one, where something is left to chance, and the same where nothing is", () => {
    for (const [name, value] of Object.entries(CHANCE)) {
      const chance = { ...NO_CHANCE, [name]: value };
      assert.notEqual(figuresOf(busyScenario({ chance })), figuresOf(busyScenario({ chance, seed: 43 })), name);
    }
    const certain = { chance: NO_CHANCE };
    assert.equal(figuresOf(busyScenario(certain)), figuresOf(busyScenario({ ...certain, seed: 43 })));
  });

  test("says which engine and seed made it, and that nothing took time that was not said to", () => {
    const scenario = busyScenario({ chance: NO_CHANCE });
    const { engine, seed, bootNs, elapsedNs, stoppedEarly, warnings, ok, vcpus } = runToEnd(
      new VirtualMachine(scenario),
    );
    assert.deepEqual([engine, seed, bootNs, elapsedNs], ["virtual", 42, 0, scenario.durationNs]);
    assert.deepEqual([stoppedEarly, warnings, ok], [false, [], true]);
    for (const { host, cost } of vcpus) {
      assert.equal(host.noiseNs, 0);
      assert.deepEqual(cost, { tickNs: null, pageReadNs: null });
    }
  });

  for (const latency of ["wakeLatencyNs", "hostNoiseNs"] as const) {
    test(`has what was drawn of ${latency} as its noise, half of the longest on average`, () => {
      const longestNs = 50 * NS_PER_US;
      const { vcpus } = runToEnd(machineOf({ vcpuCount: 3, chance: { ...NO_CHANCE, [latency]: longestNs } }));
      for (const { host } of vcpus) {
        const share = (host.noiseNs ?? 0) / (host.entries * longestNs);
        assert.ok(host.entries > 20 && share > 0.3 && share < 0.7, `${share} of the longest, ${host.entries} times`);
      }
    });
  }

  test("a kick that overtakes the grant does not hasten the entry: the vCPU enters late, and leaves", () => {
    const latenciesNs: Ns[] = [];
    const granted = [0, 0];
    const observer = observerOf({
      schedIn: (vcpu, _pcpu, now) => {
        granted[vcpu] = now;
      },
      told: (vcpu, _guest, now) => {
        if (granted[vcpu] >= 0) latenciesNs.push(now - granted[vcpu]);
        granted[vcpu] = -1;
      },
    });
    // Slices of 4 ms: most of the kicks come before the vCPU has entered.
    const chance = { ...NO_CHANCE, wakeLatencyNs: 20 * NS_PER_MS };
    const result = runToEnd(machineOf({ chance, durationNs: 5_000 * NS_PER_MS }, { observer }));
    assertSound(result);
    const late = latenciesNs.filter((ns) => ns > 4 * NS_PER_MS).length;
    assert.ok(late > latenciesNs.length / 2, `${late} of ${latenciesNs.length}`);
    assert.ok(Math.max(...latenciesNs) > 18 * NS_PER_MS && Math.max(...latenciesNs) <= 20 * NS_PER_MS);
  });

  test("with another vCPU leaves the others' chance as it was", () => {
    // Each on a pCPU of its own, so that all that could differ is what is drawn.
    const run = (vcpuCount: number) => {
      const scenario = scenarioOf({ vcpuCount, pcpus: 4, chance: { ...CHANCE, hostNoiseNs: 0 }, seed: 9 });
      const vcpus = scenario.vcpus.map((vcpu, id) => ({
        ...vcpu,
        pcpus: [id],
        tickPhaseNs: 0,
        workload: WORKLOADS[id + 1],
      }));
      const result = runToEnd(new VirtualMachine(virtually({ ...scenario, vcpus })));
      assertSound(result);
      return result.vcpus.map(({ guest, host }) => ({ guest, host }));
    };
    const four = run(4);
    assert.deepEqual(run(3), four.slice(0, 3));
    assert.deepEqual(run(1), four.slice(0, 1));
  });

  test("is the same run in whatever pieces it is driven", () => {
    const scenario = busyScenario();
    const whole = textOf(scenario);
    for (const maxEvents of [1, 7, 100]) {
      const machine = new VirtualMachine(scenario);
      let pieces = 1;
      while (!machine.run(scenario.durationNs, maxEvents)) pieces++;
      assert.ok(pieces > 1_000 / maxEvents, `${pieces} pieces`);
      assert.equal(JSON.stringify(machine.finish()), whole);
    }
    const machine = new VirtualMachine(scenario);
    for (let at = 0; at <= scenario.durationNs; at += 777_777) assert.equal(machine.run(at), true);
    assert.equal(machine.run(scenario.durationNs), true);
    assert.equal(JSON.stringify(machine.finish()), whole);
  });

  test("counts the events it serves, and stops after as many as it is given", () => {
    const scenario = busyScenario();
    const machine = new VirtualMachine(scenario);
    const begun = machine.eventCount;
    assert.equal(machine.run(scenario.durationNs, 10), false);
    assert.equal(machine.eventCount, begun + 10);
    assert.ok(machine.now < machine.startNs + scenario.durationNs);
    assert.equal(machine.run(scenario.durationNs, 0), false);
    assert.equal(machine.eventCount, begun + 10);
    assert.equal(machine.run(scenario.durationNs), true);
    assert.equal(machine.now, machine.startNs + scenario.durationNs);
    const { eventCount } = machine;
    // Come to that instant, there is nothing left to do.
    assert.equal(machine.run(scenario.durationNs, 1), true);
    assert.equal(machine.eventCount, eventCount);
  });

  test("that is ended early says so, and its books are closed where it stood", () => {
    const scenario = busyScenario({ chance: NO_CHANCE, startAtNs: 1_234_567 });
    const machine = new VirtualMachine(scenario);
    machine.run(77 * NS_PER_MS);
    const result = machine.finish(true);
    assertSound(result);
    assert.deepEqual([result.stoppedEarly, result.elapsedNs], [true, 77 * NS_PER_MS]);
    for (const { host } of result.vcpus) {
      assert.equal(host.runNs + host.waitNs + host.haltNs + host.offlineNs, 77 * NS_PER_MS);
    }
  });

  test("without checks is the same run, and every invariant is left unjudged", () => {
    const scenario = busyScenario();
    const figures = (checks: boolean) => {
      const { vcpus, invariants, ok } = runToEnd(new VirtualMachine(scenario, { checks }));
      return { figures: vcpus.map(({ guest, host, page }) => ({ guest, host, page })), invariants, ok, vcpus };
    };
    const [checked, unchecked] = [figures(true), figures(false)];
    assert.deepEqual(unchecked.figures, checked.figures);
    assert.deepEqual([unchecked.invariants, unchecked.ok], [[], true]);
    for (const { clock } of unchecked.vcpus) assert.equal(clock.monitored, 0);
  });

  test("has no real machine for a linux host", () => {
    const scenario = scenarioOf({ host: "linux", measure: "wait", pcpus: 0 });
    assert.throws(() => new VirtualMachine(virtually(scenario)), { code: "bad-input", message: /accepted: fair/ });
  });
});

describe("the order of events", () => {
  /** What happens at one instant, in order: "tell 0", "out 0", "in 1". */
  function eventsAt(instant: Ns, changes: ScenarioChanges): string[] {
    const events: string[] = [];
    const note = (what: string, now: Ns) => {
      if (now === instant) events.push(what);
    };
    const observer = observerOf({
      told: (vcpu, _guest, now) => note(`tell ${vcpu}`, now),
      schedOut: (vcpu, _state, now) => note(`out ${vcpu}`, now),
      schedIn: (vcpu, _pcpu, now) => note(`in ${vcpu}`, now),
    });
    runToEnd(machineOf(changes, { observer }));
    return events;
  }

  test("at one instant guests go before the host, in order of their numbers, and commands are carried out at once", () => {
    // At 4 ms the two that run have a tick, and their slices end.
    const ticks = eventsAt(4 * NS_PER_MS, { vcpuCount: 4, pcpus: 2, vcpu: { tickPhaseNs: 0 } });
    assert.deepEqual(ticks, [
      "tell 0",
      "tell 1",
      // pCPU 0's deadline: vCPU 0 is kicked, told so and leaves; the next one has the pCPU before pCPU 1's deadline is served.
      "tell 0",
      "out 0",
      "in 2",
      "tell 2",
      "tell 1",
      "out 1",
      "in 3",
      "tell 3",
    ]);
  });

  test("a vCPU that halts at the instant it is kicked has halted", () => {
    // Its burst ends with its slice.
    const workload: Workload = { kind: "duty", busyNs: 4 * NS_PER_MS, periodNs: 100 * NS_PER_MS };
    const { vcpus } = runToEnd(machineOf({ vcpu: { workload }, durationNs: 90 * NS_PER_MS }));
    assert.deepEqual(
      vcpus.map(({ host }) => [host.entries, host.waitNs, host.haltNs]),
      [
        [1, 0, 86 * NS_PER_MS],
        [1, 4 * NS_PER_MS, 82 * NS_PER_MS],
      ],
    );
  });

  test("instants follow one another, each told once when it is over, and nobody is told of the past", () => {
    const timesTold: Ns[] = [];
    const instants: Ns[] = [];
    const observer = observerOf({ told: (_vcpu, _guest, now) => timesTold.push(now) });
    const machine = new VirtualMachine(busyScenario(), { observer });
    machine.onInstant = (now) => instants.push(now);
    runToEnd(machine);
    assert.ok(instants.length > 500, `${instants.length} instants`);
    assert.deepEqual(
      instants,
      [...new Set(instants)].toSorted((a, b) => a - b),
    );
    assert.deepEqual(
      timesTold,
      timesTold.toSorted((a, b) => a - b),
    );
  });

  test("time that does not pass is a defect, and is thrown as one", ({ mock }) => {
    const watchdog = { mode: "plain", thresholdNs: 20 * NS_PER_MS, periodNs: 2 * NS_PER_MS } as const;
    const machine = machineOf({ vcpuCount: 1, vcpu: { workload: { kind: "idle" } }, watchdog, startAtNs: 3 });
    // A guest rule that asks to be woken at once, again and again.
    mock.getter(GuestCpu.prototype, "wakeAt", () => machine.now);
    assert.throws(() => machine.run(10 * NS_PER_MS), /no time passes after 2000000 ns: a defect/);
  });

  test("nor is a run that is stopped in the middle of such an instant waited for without end", ({ mock }) => {
    const machine = machineOf({ vcpuCount: 1 });
    machine.run(NS_PER_MS);
    const late = mock.getter(GuestCpu.prototype, "nextDeadline", () => machine.now);
    // It leaves its pCPU when it is kicked, so this ends.
    assert.equal(machine.finish(true).elapsedNs, NS_PER_MS);
    late.mock.restore();
    const running = machineOf({ vcpuCount: 1 });
    running.run(NS_PER_MS);
    mock.getter(GuestCpu.prototype, "nextDeadline", () => running.now);
    assert.throws(() => running.run(20 * NS_PER_MS), /no time passes after/);
  });
});

describe("a sample", () => {
  test("is a state of the books: each vCPU's states add up to the time that has passed", () => {
    const machine = new VirtualMachine(busyScenario({ startAtNs: 999_999_999 }));
    for (let at = 0; at <= 300 * NS_PER_MS; at += 10 * NS_PER_MS) {
      machine.run(at);
      const { schema, elapsedNs, vcpus } = machine.sample();
      assert.deepEqual([schema, elapsedNs], ["stealclock.sample/1", at]);
      for (const { id, host, guest } of vcpus) {
        assert.equal(host.runNs + host.waitNs + host.haltNs + host.offlineNs, at);
        const { cpuTime } = machine.guests[id];
        assert.deepEqual(
          [guest.userNs, guest.systemNs, guest.stealNs],
          [cpuTime.userNs, cpuTime.systemNs, cpuTime.stealNs],
        );
      }
    }
  });

  test("shows idle time in progress, as /proc/stat does", () => {
    const machine = machineOf({ vcpuCount: 1, vcpu: { workload: { kind: "idle" }, tickPhaseNs: 0 } });
    machine.run(100 * NS_PER_MS);
    assert.equal(machine.guests[0].cpuTime.idleNs, 0);
    assert.equal(machine.sample().vcpus[0].guest.idleNs, 100 * NS_PER_MS);
    assert.equal(machine.sample().vcpus[0].host.state, "halt");
  });

  test("says what each vCPU does", () => {
    const timeline: TimelineEvent[] = [{ kind: "offline", atNs: 2 * NS_PER_MS, forNs: 50 * NS_PER_MS, vcpu: 0 }];
    const machine = machineOf({ vcpuCount: 3, timeline });
    const states = () => machine.sample().vcpus.map(({ host }) => host.state);
    assert.deepEqual(states(), ["run", "wait", "wait"]);
    machine.run(3 * NS_PER_MS);
    assert.deepEqual(states(), ["offline", "run", "wait"]);
  });

  test("changes nothing of the run", () => {
    const scenario = busyScenario();
    const machine = new VirtualMachine(scenario);
    for (let at = 0; at < scenario.durationNs; at += NS_PER_MS) {
      machine.run(at);
      machine.sample();
    }
    assert.equal(JSON.stringify(runToEnd(machine)), textOf(scenario));
  });
});

test("whatever is left to chance: a run repeats itself, in one piece or in many", () => {
  const anyChance: fc.Arbitrary<ChanceConfig> = fc.record({
    jitterPercent: fc.integer({ min: 0, max: 50 }),
    wakeLatencyNs: fc.oneof(fc.constant(0), fc.nat(NS_PER_MS)),
    hostNoiseNs: fc.oneof(fc.constant(0), fc.nat(NS_PER_MS)),
  });
  fc.assert(
    fc.property(anyChance, fc.nat(0xffff_ffff), fc.integer({ min: 1, max: 300 }), (chance, seed, maxEvents) => {
      const scenario = busyScenario({ chance, seed, durationNs: 120 * NS_PER_MS });
      const machine = new VirtualMachine(scenario);
      while (!machine.run(scenario.durationNs, maxEvents));
      const result = machine.finish();
      assertSound(result);
      assert.equal(JSON.stringify(result), textOf(scenario));
    }),
    { seed: 20100830, numRuns: 40 },
  );
});
