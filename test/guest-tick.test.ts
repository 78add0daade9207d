import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CpuMode, CpuTime } from "../src/guest/accounting/cpu-time.js";
import { MainlineAccounting } from "../src/guest/accounting/mainline.js";
import { NoStealAccounting } from "../src/guest/accounting/none.js";
import { RfcV2Accounting } from "../src/guest/accounting/rfc-v2.js";
import type { TickAccounting } from "../src/guest/accounting/tick-accounting.js";
import { guestMachineOf } from "../src/guest/build-guest-cpu.js";
import { CpuState } from "../src/guest/cpu-state.js";
import { discoverFeatures } from "../src/guest/features.js";
import { GuestCpu } from "../src/guest/guest-cpu.js";
import { GuestTime } from "../src/guest/guest-time.js";
import { Hotplug } from "../src/guest/hotplug.js";
import { defaultPvclockAddress, guestRamBytes } from "../src/guest/kernel-data.js";
import { SoftlockupWatchdog } from "../src/guest/softlockup-watchdog.js";
import { TickDevice } from "../src/guest/tick-device.js";
import { BusyTask } from "../src/guest/workload/busy-task.js";
import { DutyTask } from "../src/guest/workload/duty-task.js";
import { IdleTask } from "../src/guest/workload/idle-task.js";
import { MixedTask } from "../src/guest/workload/mixed-task.js";
import type { Task } from "../src/guest/workload/task.js";
import { KvmPlatform } from "../src/host/kvm-platform.js";
import { PvclockPublisher } from "../src/host/pvclock-publisher.js";
import type { Hypercalls } from "../src/shared/kvm-abi.js";
import { Tsc } from "../src/shared/tsc.js";
import { NS_PER_MS, NS_PER_SECOND, NS_PER_US, type Ns, tickNsecOf } from "../src/shared/units.js";
import { sharedWords } from "./fixtures/pvclock-struct.js";

/** HZ 250. */
const TICK_NS = 4 * NS_PER_MS;

describe("the tick device", () => {
  function started(tickNsec: Ns, startNs: Ns, phaseNs: Ns): TickDevice {
    const tick = new TickDevice(tickNsec);
    tick.start(startNs, phaseNs);
    return tick;
  }

  test("has no deadline before it is started", () => {
    const tick = new TickDevice(TICK_NS);
    assert.equal(tick.nextTick, Number.POSITIVE_INFINITY);
    assert.equal(tick.takeDue(Number.MAX_SAFE_INTEGER), 0);
  });

  test("its first deadline lies a phase after the start, a whole tick at phase 0", () => {
    assert.equal(started(TICK_NS, 1_000, 1).nextTick, 1_001);
    assert.equal(started(TICK_NS, 1_000, TICK_NS - 1).nextTick, 1_000 + TICK_NS - 1);
    assert.equal(started(TICK_NS, 1_000, 0).nextTick, 1_000 + TICK_NS);
  });

  test("counts the deadlines that passed, the one that is due just now included, and moves on along its grid", () => {
    const tick = started(TICK_NS, 0, 0);
    assert.deepEqual([tick.takeDue(TICK_NS - 1), tick.nextTick], [0, TICK_NS]);
    assert.deepEqual([tick.takeDue(TICK_NS), tick.nextTick], [1, 2 * TICK_NS]);
    assert.equal(tick.takeDue(TICK_NS), 0, "taken once");
    assert.deepEqual([tick.takeDue(5 * TICK_NS - 1), tick.nextTick], [3, 5 * TICK_NS]);
    assert.deepEqual([tick.takeDue(9 * TICK_NS), tick.nextTick], [5, 10 * TICK_NS]);
  });

  test("at 300 Hz a tick is 3,333,333 ns: after a second the 300th came 100 ns early", () => {
    assert.equal(tickNsecOf(300), 3_333_333);
    const tick = started(tickNsecOf(300), 0, 0);
    assert.deepEqual([tick.takeDue(NS_PER_SECOND), tick.nextTick], [300, 301 * 3_333_333]);
  });

  test("on any grid, asked at any instants, it counts each deadline once and is never left behind", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(100, 250, 300, 1000).map(tickNsecOf),
        fc.nat(NS_PER_SECOND),
        fc.nat(),
        fc.array(fc.nat(50 * NS_PER_MS)),
        (tickNsec, startNs, seed, stepsNs) => {
          const phaseNs = seed % tickNsec;
          const tick = started(tickNsec, startNs, phaseNs);
          let now = startNs;
          let due = 0;
          for (const stepNs of stepsNs) {
            now += stepNs;
            due += tick.takeDue(now);
            assert.equal(due, deadlinesUpTo(now, startNs, phaseNs, tickNsec));
            assert.ok(tick.nextTick > now && tick.nextTick <= now + tickNsec + phaseNs);
            assert.equal((tick.nextTick - startNs - phaseNs) % tickNsec, 0);
          }
        },
      ),
    );
  });
});

/** Tick deadlines in (start, now], counted from the definition of the grid. */
function deadlinesUpTo(now: Ns, startNs: Ns, phaseNs: Ns, tickNsec: Ns): number {
  const sinceFirst = now - startNs - (phaseNs > 0 ? phaseNs : tickNsec);
  return sinceFirst < 0 ? 0 : Math.floor(sinceFirst / tickNsec) + 1;
}

/** Something that happened on this CPU, in words. */
type Event = string;

const MODE_NAMES = ["user", "system", "idle"];

/** Writes down what it is asked to account. */
class RecordingAccounting implements TickAccounting {
  readonly idleIsFinal = true;

  constructor(
    readonly events: Event[],
    readonly rule: TickAccounting,
  ) {}

  accountProcessTick(mode: CpuMode): void {
    this.events.push(`tick in ${MODE_NAMES[mode]}`);
    this.rule.accountProcessTick(mode);
  }

  accountIdleExit(ticks: number): void {
    this.events.push(`idle exit after ${ticks} ticks`);
    this.rule.accountIdleExit(ticks);
  }
}

class RecordingWatchdog extends SoftlockupWatchdog {
  constructor(
    readonly events: Event[],
    periodNs: Ns,
    cpu: CpuState,
  ) {
    super("steal-aware", 20 * NS_PER_SECOND, periodNs, cpu);
  }

  override touch(now: Ns, stolenNs: Ns): void {
    this.events.push("watchdog touched");
    super.touch(now, stolenNs);
  }

  override check(now: Ns, stolenNs: Ns): void {
    this.events.push("watchdog checked");
    super.check(now, stolenNs);
  }
}

/** A task that says what it was told, and is otherwise the one it stands for. */
class RecordingTask implements Task {
  constructor(
    readonly events: Event[],
    readonly task: Task,
  ) {}

  get mode(): CpuMode {
    return this.task.mode;
  }
  get halted(): boolean {
    return this.task.halted;
  }
  get wakeAt(): Ns {
    return this.task.wakeAt;
  }
  get remainingNs(): Ns {
    return this.task.remainingNs;
  }
  get preemptible(): boolean {
    return this.task.preemptible;
  }
  start(now: Ns): void {
    this.task.start(now);
  }
  ran(ns: Ns, now: Ns): void {
    this.events.push(`task ran ${ns} ns`);
    this.task.ran(ns, now);
  }
  woken(now: Ns): void {
    this.events.push("task woken");
    this.task.woken(now);
  }
}

type Rule = "none" | "rfc-v2" | "mainline";

interface BenchOptions {
  readonly task?: Task;
  readonly rule?: Rule;
  readonly tickNsec?: Ns;
  readonly phaseNs?: Ns;
  readonly startNs?: Ns;
  readonly watchdogPeriodNs?: Ns;
}

/** One guest CPU driven by hand: all time out of guest is published in its page at every entry, as the RFC does it. */
class Bench {
  readonly events: Event[] = [];
  readonly time: GuestTime;
  readonly cpu: GuestCpu;
  readonly #publisher: PvclockPublisher;
  #outOfGuestNs: Ns = 0;
  #leftAt: Ns;
  now: Ns;

  constructor(options: BenchOptions = {}) {
    const { task = new BusyTask(CpuMode.User, true), rule = "mainline", tickNsec = TICK_NS } = options;
    const { phaseNs = 0, startNs = 0, watchdogPeriodNs = NS_PER_SECOND } = options;
    this.now = startNs;
    this.#leftAt = startNs;
    const ram = sharedWords(guestRamBytes(1) / 4);
    const tsc = new Tsc(2_600_000);
    this.#publisher = new PvclockPublisher(
      ram,
      1,
      {
        policy: "entry",
        offersSteal: true,
        nanoseconds: true,
        tsc,
        stealAtStartNs: 0,
        measuredNs: () => this.#outOfGuestNs,
        auditOf: () => null,
      },
      [],
    );
    const platform = new KvmPlatform(ram.byteLength, this.#publisher);
    const hypercalls: Hypercalls = {
      cpuid: (leaf, out) => platform.cpuid(leaf, out),
      writeMsr: (index, value) => platform.writeMsr(0, index, value, this.now),
    };
    const cpu = new CpuState();
    const clock = { nowNs: () => this.now };
    const machine = guestMachineOf({ ram, cpuCount: 1, clock, tsc, auditOf: () => null, auditsEveryRead: false });
    this.time = new GuestTime(machine, hypercalls, discoverFeatures(hypercalls), cpu);
    this.time.register(defaultPvclockAddress(1, 0), true);
    const cpuTime = new CpuTime(cpu);
    this.cpu = new GuestCpu({
      cpu,
      time: this.time,
      cpuTime,
      accounting: new RecordingAccounting(this.events, this.#ruleOf(rule, cpuTime, tickNsec)),
      tick: new TickDevice(tickNsec, cpu),
      watchdog: new RecordingWatchdog(this.events, watchdogPeriodNs, cpu),
      task: new RecordingTask(this.events, task),
      hotplug: new Hotplug([], cpu),
    });
    this.cpu.begin(startNs, phaseNs);
    this.events.length = 0;
  }

  /** Out until then, and in again. */
  enterAt(now: Ns): this {
    this.now = now;
    this.#outOfGuestNs += now - this.#leftAt;
    this.#publisher.publish(0, now);
    this.cpu.enter(now);
    return this;
  }

  /** Runs until then, or until it halts, and is told the time at each of its own deadlines. */
  runUntil(untilNs: Ns): this {
    while (!this.cpu.wantsOut && this.now < untilNs) this.advanceTo(Math.min(this.cpu.nextDeadline, untilNs));
    return this;
  }

  advanceTo(now: Ns, notRunNs: Ns = 0): this {
    this.now = now;
    this.cpu.advance(now, notRunNs);
    return this;
  }

  leave(): this {
    this.cpu.leave(this.now);
    this.#leftAt = this.now;
    return this;
  }

  takeEvents(): Event[] {
    return this.events.splice(0);
  }

  #ruleOf(rule: Rule, cpuTime: CpuTime, tickNsec: Ns): TickAccounting {
    switch (rule) {
      case "none":
        return new NoStealAccounting(cpuTime, tickNsec);
      case "rfc-v2":
        return new RfcV2Accounting(cpuTime, this.time.stealClock, tickNsec);
      case "mainline":
        return new MainlineAccounting(cpuTime, this.time.stealClock, tickNsec);
    }
  }
}

describe("a guest CPU that comes back after ticks fell due", () => {
  test("takes exactly one of them, and loses the others", () => {
    for (const missed of [1, 2, 3, 100]) {
      const bench = new Bench()
        .enterAt(0)
        .leave()
        .enterAt(missed * TICK_NS);
      assert.deepEqual([bench.cpu.ticks, bench.cpu.lostTicks], [1, missed - 1]);
      assert.equal(bench.cpu.nextTick, (missed + 1) * TICK_NS, "the next one is on the grid");
    }
  });

  test("takes none when none fell due", () => {
    const bench = new Bench()
      .enterAt(0)
      .leave()
      .enterAt(TICK_NS - 1);
    assert.deepEqual([bench.cpu.ticks, bench.cpu.lostTicks, bench.takeEvents()], [0, 0, []]);
  });

  test("takes it before the watchdog task and the task run", () => {
    const bench = new Bench({ watchdogPeriodNs: TICK_NS }).enterAt(0).leave();
    bench.takeEvents();
    bench.enterAt(2.5 * TICK_NS).advanceTo(2.75 * TICK_NS);
    assert.deepEqual(bench.takeEvents(), [
      "tick in user",
      "watchdog checked",
      "watchdog touched",
      `task ran ${0.25 * TICK_NS} ns`,
    ]);
  });

  test("books the time that it was out in that tick", () => {
    const { cpuTime } = new Bench({ rule: "rfc-v2" })
      .enterAt(0)
      .leave()
      .enterAt(10 * TICK_NS).cpu;
    assert.deepEqual([cpuTime.stealNs, cpuTime.userNs], [10 * TICK_NS, 0]);
  });
});

describe("a guest CPU that runs", () => {
  test("takes each tick when it falls due, in the mode that it interrupted, before the task moves on", () => {
    const bench = new Bench({ task: new MixedTask(null) }).enterAt(0);
    // 2 * 1.73 + 0.91 = 4.37 ms: the tick comes in the second user burst; told late, it still interrupts that burst.
    bench.runUntil(3 * NS_PER_MS).advanceTo(5 * NS_PER_MS);
    assert.deepEqual(bench.takeEvents().slice(-3), [
      "tick in user",
      "watchdog checked",
      `task ran ${2 * NS_PER_MS} ns`,
    ]);
  });

  test("two deadlines that it is told of at once are one tick too", () => {
    const bench = new Bench().enterAt(0).advanceTo(2 * TICK_NS);
    assert.deepEqual([bench.cpu.ticks, bench.cpu.lostTicks], [1, 1]);
  });

  test("time that a real machine took away unseen is not the task's CPU use", () => {
    const task = new DutyTask(3 * NS_PER_MS, 10 * NS_PER_MS);
    const bench = new Bench({ task }).enterAt(0).advanceTo(3 * NS_PER_MS, NS_PER_MS);
    assert.deepEqual(bench.takeEvents(), [`task ran ${2 * NS_PER_MS} ns`]);
    assert.deepEqual([bench.cpu.wantsOut, task.remainingNs], [false, NS_PER_MS]);
    assert.equal(bench.cpu.nextDeadline, 4 * NS_PER_MS, "what is left of the burst, or the tick at the same instant");
    assert.equal(bench.advanceTo(4 * NS_PER_MS).cpu.wantsOut, true);
  });

  test("time out of guest is not the task's CPU use either", () => {
    const task = new DutyTask(3 * NS_PER_MS, 10 * NS_PER_MS);
    new Bench({ task })
      .enterAt(0)
      .advanceTo(NS_PER_MS)
      .leave()
      .enterAt(8 * NS_PER_MS)
      .advanceTo(9 * NS_PER_MS);
    assert.equal(task.remainingNs, NS_PER_MS);
  });
});

describe("a guest CPU that was halted", () => {
  /** Busy for its first 1 ms, then halted until 40 ms. */
  function halted(rule: Rule = "rfc-v2"): Bench {
    const bench = new Bench({ rule, task: new DutyTask(NS_PER_MS, 40 * NS_PER_MS) }).enterAt(0);
    bench.runUntil(2 * NS_PER_MS).leave();
    assert.deepEqual([bench.cpu.wantsOut, bench.cpu.wakeAt, bench.now], [true, 40 * NS_PER_MS, NS_PER_MS]);
    bench.takeEvents();
    return bench;
  }

  test("books n-1 of n ticks as idle on exit, touches the watchdog, takes the last tick in idle, then wakes its task", () => {
    const bench = halted().enterAt(40 * NS_PER_MS);
    assert.deepEqual(bench.takeEvents(), [
      "idle exit after 9 ticks",
      "watchdog touched",
      "tick in idle",
      "watchdog checked",
      "task woken",
    ]);
    assert.deepEqual([bench.cpu.ticks, bench.cpu.lostTicks, bench.cpu.cpuTime.idleNs], [10, 0, 10 * TICK_NS]);
    assert.equal(bench.cpu.wantsOut, false);
  });

  test("takes no tick when none fell due, but leaves idle all the same", () => {
    const bench = halted().enterAt(3 * NS_PER_MS);
    assert.deepEqual(bench.takeEvents(), ["idle exit after 0 ticks", "watchdog touched", "task woken"]);
    assert.equal(bench.cpu.ticks, 0);
  });

  test("woken before its timer, it wants to halt again at once, and books nothing twice", () => {
    const bench = halted().enterAt(22 * NS_PER_MS);
    assert.deepEqual([bench.cpu.wantsOut, bench.cpu.wakeAt, bench.cpu.ticks], [true, 40 * NS_PER_MS, 5]);
    bench.leave().enterAt(40 * NS_PER_MS);
    assert.deepEqual([bench.cpu.wantsOut, bench.cpu.ticks, bench.cpu.lostTicks], [false, 10, 0]);
    assert.equal(bench.cpu.cpuTime.idleNs, 10 * TICK_NS);
  });

  test("under rfc-v2 all that time is dropped; under mainline, published as it is here, all of it shows as steal", () => {
    const rfc = halted("rfc-v2").enterAt(40 * NS_PER_MS).cpu.cpuTime;
    assert.deepEqual([rfc.stealNs, rfc.stealDroppedIdleNs, rfc.idleNs], [0, 39 * NS_PER_MS, 40 * NS_PER_MS]);
    // 9 ticks are 36 ms, less than the 39 ms it was out; the entry tick finds nothing new.
    const mainline = halted("mainline").enterAt(40 * NS_PER_MS).cpu.cpuTime;
    assert.deepEqual([mainline.stealNs, mainline.idleNs], [39 * NS_PER_MS, TICK_NS]);
  });

  test("wakes for the watchdog's timer as well, and goes on halting", () => {
    const bench = new Bench({ task: new IdleTask(), watchdogPeriodNs: NS_PER_SECOND }).enterAt(0).leave();
    assert.deepEqual([bench.cpu.wantsOut, bench.cpu.wakeAt], [true, NS_PER_SECOND]);
    bench.enterAt(NS_PER_SECOND);
    assert.deepEqual([bench.cpu.wantsOut, bench.cpu.wakeAt], [true, 2 * NS_PER_SECOND]);
  });

  test("at the end of the run idle time in progress is booked, whole ticks of it, and no other", () => {
    const bench = halted();
    bench.cpu.finish(39 * NS_PER_MS);
    assert.deepEqual(bench.takeEvents(), ["idle exit after 9 ticks"]);
    assert.deepEqual([bench.cpu.ticks, bench.cpu.cpuTime.idleNs], [9, 9 * TICK_NS]);

    const running = new Bench().enterAt(0).leave();
    running.cpu.finish(39 * NS_PER_MS);
    assert.deepEqual([running.takeEvents(), running.cpu.ticks], [[], 0]);
  });
});

/** A guest's life in steps: so long in, told so often; so long out. */
const arbLife = fc.array(
  fc.record({
    outNs: fc.oneof(fc.constant(0), fc.nat(NS_PER_MS), fc.nat(60 * NS_PER_MS)),
    inNs: fc.oneof(fc.constant(0), fc.nat(NS_PER_MS), fc.nat(30 * NS_PER_MS)),
    /** How late it is told of its deadlines, as on a real machine. */
    lateNs: fc.oneof(fc.constant(0), fc.nat(100 * NS_PER_US), fc.nat(20 * NS_PER_MS)),
    notRunShare: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
  }),
);

const arbTask: fc.Arbitrary<() => Task> = fc.oneof(
  fc.constantFrom<(() => Task)[]>(
    () => new BusyTask(CpuMode.User, true),
    () => new BusyTask(CpuMode.System, false),
    () => new MixedTask(null),
    () => new IdleTask(),
  ),
  fc
    .record({
      busyNs: fc.integer({ min: 1, max: 20 * NS_PER_MS }),
      restNs: fc.integer({ min: 1, max: 20 * NS_PER_MS }),
    })
    .map(
      ({ busyNs, restNs }) =>
        () =>
          new DutyTask(busyNs, busyNs + restNs),
    ),
);

const arbCase = fc
  .record({
    rule: fc.constantFrom<Rule[]>("none", "rfc-v2", "mainline"),
    hz: fc.constantFrom(100, 250, 300, 1000),
    phaseSeed: fc.nat(),
    startNs: fc.nat(NS_PER_SECOND),
    watchdogPeriodNs: fc.integer({ min: NS_PER_MS, max: 50 * NS_PER_MS }),
    makeTask: arbTask,
    life: arbLife,
  })
  .map(({ hz, phaseSeed, ...rest }) => ({ ...rest, tickNsec: tickNsecOf(hz), phaseNs: phaseSeed % tickNsecOf(hz) }));

type Case = typeof arbCase extends fc.Arbitrary<infer T> ? T : never;

/** Lives through it; `told` is called after each instant that the CPU was told. */
function live({ makeTask, life, ...options }: Case, told: (bench: Bench) => void): Bench {
  const bench = new Bench({ ...options, task: makeTask() });
  for (const { outNs, inNs, lateNs, notRunShare } of life) {
    bench.enterAt(bench.now + outNs);
    told(bench);
    const untilNs = bench.now + inNs;
    while (!bench.cpu.wantsOut && bench.now < untilNs) {
      const tellAt = Math.min(bench.cpu.nextDeadline + lateNs, untilNs);
      bench.advanceTo(tellAt, Math.floor((tellAt - bench.now) * notRunShare));
      told(bench);
    }
    bench.leave();
  }
  return bench;
}

describe("whatever a guest CPU lives through", () => {
  test("ticks and lost ticks add up to the deadlines that passed, and the next one is on the grid", () => {
    fc.assert(
      fc.property(arbCase, (life) => {
        const { startNs, phaseNs, tickNsec } = life;
        live(life, ({ cpu, now }) => {
          assert.equal(cpu.ticks + cpu.lostTicks, deadlinesUpTo(now, startNs, phaseNs, tickNsec));
          assert.ok(cpu.nextTick > now);
          assert.equal((cpu.nextTick - startNs - phaseNs) % tickNsec, 0);
        });
      }),
      { numRuns: 500 },
    );
  });

  test("while it wants to run, its next deadline is in the future", () => {
    fc.assert(
      fc.property(arbCase, (life) => {
        live(life, ({ cpu, now }) => {
          if (!cpu.wantsOut) assert.ok(cpu.nextDeadline > now, `${cpu.nextDeadline} at ${now}`);
          else assert.ok(cpu.wakeAt > now, `wakes at ${cpu.wakeAt}, halts at ${now}`);
        });
      }),
      { numRuns: 500 },
    );
  });

  test("every tick is delivered at most once at one instant, and each is checked by the watchdog", () => {
    fc.assert(
      fc.property(arbCase, (life) => {
        live(life, (bench) => {
          const events = bench.takeEvents();
          const ticks = events.filter((event) => event.startsWith("tick")).length;
          assert.ok(ticks <= 1);
          assert.equal(events.filter((event) => event === "watchdog checked").length, ticks);
        });
      }),
    );
  });

  test("without steal accounting, what is booked is what ticks there were", () => {
    fc.assert(
      fc.property(arbCase, (life) => {
        const { cpu } = live({ ...life, rule: "none" }, () => {});
        const { userNs, systemNs, idleNs } = cpu.cpuTime;
        assert.equal(userNs + systemNs + idleNs, cpu.ticks * life.tickNsec);
      }),
    );
  });
});

describe("3 ms in, 5 ms out, a tick every 4 ms: 62.5 % is stolen", () => {
  const IN_NS = 3 * NS_PER_MS;
  const ROUND_NS = 8 * NS_PER_MS;
  const ROUNDS = 100;

  /** User and steal time per round, once the pattern has settled. */
  function bookedPerRound(rule: Rule, phaseNs: Ns): { userNs: Ns; stealNs: Ns } {
    const bench = new Bench({ rule, phaseNs });
    const booked = () => bench.cpu.cpuTime.figures();
    // Each round begins with an entry; the first has no time out before it.
    let settled = booked();
    for (let round = 0; round <= ROUNDS; round++) {
      const startNs = round * ROUND_NS;
      if (round === 1) settled = booked();
      bench
        .enterAt(startNs)
        .runUntil(startNs + IN_NS)
        .leave();
    }
    const { userNs, stealNs } = booked();
    return { userNs: (userNs - settled.userNs) / ROUNDS, stealNs: (stealNs - settled.stealNs) / ROUNDS };
  }

  // Two deadlines in a round. One that falls within the 3 ms is a tick of its own, one without steal; all that fall
  // in the 5 ms are the one tick at entry, which finds 5 ms stolen.
  const QUARTER_MS = [3.001, 3.25, 3.5, 3.75, 3.999];
  const OTHERS_MS = [0.001, 0.5, 1, 1.5, 2, 2.5, 3];

  for (const rule of ["mainline", "rfc-v2"] as const) {
    test(`${rule}: 100 % steal in the quarter of phases in which both ticks of a round fall outside`, () => {
      for (const phaseMs of [...QUARTER_MS, 0]) {
        // At phase 0 one deadline is the instant of entry: it is merged with the one that passed outside.
        const { userNs, stealNs } = bookedPerRound(rule, phaseMs * NS_PER_MS);
        assert.deepEqual([userNs, stealNs], [0, 5 * NS_PER_MS], `phase ${phaseMs} ms`);
      }
    });

    test(`${rule}: 5 of 9 ms in the other phases, 55.6 %`, () => {
      for (const phaseMs of OTHERS_MS) {
        const { userNs, stealNs } = bookedPerRound(rule, phaseMs * NS_PER_MS);
        assert.deepEqual([userNs, stealNs], [4 * NS_PER_MS, 5 * NS_PER_MS], `phase ${phaseMs} ms`);
      }
    });
  }

  test("over all phases at equal distances, a quarter shows 100 %", () => {
    const stepNs = 125 * NS_PER_US;
    const phases = Array.from({ length: TICK_NS / stepNs }, (_, step) => step * stepNs);
    const all = phases.filter((phaseNs) => bookedPerRound("mainline", phaseNs).userNs === 0);
    assert.equal(all.length, phases.length / 4);
  });

  test("none: no steal, and the lost ticks are nowhere", () => {
    assert.deepEqual(bookedPerRound("none", 3.5 * NS_PER_MS), { userNs: 4 * NS_PER_MS, stealNs: 0 });
    assert.deepEqual(bookedPerRound("none", NS_PER_MS), { userNs: 8 * NS_PER_MS, stealNs: 0 });
  });
});
