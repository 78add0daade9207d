import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { buildHost } from "../src/engine/build-host.js";
import { ClockMonitor } from "../src/engine/check/clock-monitor.js";
import { ControlMemory, EVENT_COUNTER } from "../src/engine/real/control-memory.js";
import { CostMeter } from "../src/engine/real/cost-meter.js";
import { dieWhenDue } from "../src/engine/real/fault.js";
import { GuestFiguresReader, GuestFiguresWriter } from "../src/engine/real/guest-figures.js";
import { HostMailbox, MailboxHypercalls } from "../src/engine/real/mailbox.js";
import { measureClockCostNs, RealClock } from "../src/engine/real/real-clock.js";
import { currentThreadId, Schedstat } from "../src/engine/real/schedstat.js";
import { SharedClockMaximum } from "../src/engine/real/shared-clock-maximum.js";
import { GuestGate, HostGate } from "../src/engine/real/vcpu-gate.js";
import { CpuTime } from "../src/guest/accounting/cpu-time.js";
import { CpuidRegisters, ExitReason, MSR_KVM_SYSTEM_TIME_NEW } from "../src/shared/kvm-abi.js";
import { GUEST_PAGE_BYTES } from "../src/shared/pvclock-page.js";
import { Tsc } from "../src/shared/tsc.js";
import { U64 } from "../src/shared/u64.js";
import { MAX_TIME_NS, NS_PER_MS, NS_PER_SECOND, type Ns } from "../src/shared/units.js";
import { scenarioOf } from "./engine-helpers.js";
import { intrudeAt } from "./fixtures/atomics-spy.js";
import { sharedWords } from "./fixtures/pvclock-struct.js";

const RUNS = { seed: 20100830, numRuns: 500 };
const TICK_NS = 4 * NS_PER_MS;

describe("a guest's figures in shared memory", () => {
  const BASE = 16;
  const anyNs = fc.oneof(fc.nat(), fc.integer({ min: 0, max: MAX_TIME_NS }), fc.constantFrom(0, 2 ** 31, 2 ** 32));
  const someTimes = fc.record(
    { userNs: anyNs, systemNs: anyNs, idleNs: anyNs, stealNs: anyNs },
    { noNullPrototype: true },
  );

  function shared() {
    const words = sharedWords(3 * BASE);
    return { words, writer: new GuestFiguresWriter(words, BASE), reader: new GuestFiguresReader(words, TICK_NS) };
  }

  test("arrive as they were sent, and nothing beside them is written", () => {
    fc.assert(
      fc.property(someTimes, (times) => {
        const { words, writer, reader } = shared();
        writer.publish(Object.assign(new CpuTime(), times), 0);
        assert.deepEqual(reader.read(BASE, MAX_TIME_NS), times);
        const outside = [...words.subarray(0, BASE), ...words.subarray(BASE + 12)];
        assert.ok(outside.every((word) => word === 0));
      }),
      RUNS,
    );
  });

  test("before the first of them all are 0", () => {
    const zero = { userNs: 0, systemNs: 0, idleNs: 0, stealNs: 0 };
    assert.deepEqual(shared().reader.read(BASE, NS_PER_SECOND), zero);
  });

  test("of an idle CPU grow with every tick deadline that passes, though it sends nothing", () => {
    const { writer, reader } = shared();
    const dayNs = 86_400 * NS_PER_SECOND;
    const firstDeadline = dayNs + 3 * NS_PER_MS;
    writer.publish(Object.assign(new CpuTime(), { idleNs: dayNs }), firstDeadline);
    const ticksAt = (now: Ns): number => ((reader.read(BASE, now)?.idleNs ?? -1) - dayNs) / TICK_NS;
    assert.deepEqual(
      [-1, 0, 1, TICK_NS - 1, TICK_NS, 10 * TICK_NS].map((sinceNs) => ticksAt(firstDeadline + sinceNs)),
      [0, 1, 1, 1, 2, 11],
    );
    writer.publish(Object.assign(new CpuTime(), { idleNs: dayNs }), 0);
    assert.equal(ticksAt(firstDeadline + NS_PER_SECOND), 0, "no more when it runs again");
  });

  test("while they are written are not half read: the reader tries again, and says so when it can't", () => {
    for (let access = 0; ; access++) {
      const { words, writer, reader } = shared();
      const times = new CpuTime();
      writer.publish(times, 0);
      times.userNs = 7;
      times.stealNs = 7;
      let read: ReturnType<typeof reader.read> = null;
      const reached = intrudeAt(
        access,
        () => writer.publish(times, 0),
        () => {
          read = reader.read(BASE, 0);
        },
      );
      if (!reached) break;
      const { userNs, stealNs } = read ?? { userNs: -1, stealNs: -2 };
      assert.equal(userNs, stealNs, `written before access ${access}`);
      // A writer that was descheduled half way leaves an odd version behind.
      words[BASE] |= 1;
      assert.equal(reader.read(BASE, 0), null);
    }
  });
});

describe("the gate", () => {
  function gates(vcpu = 0) {
    const control = ControlMemory.allocate(2);
    return { control, host: new HostGate(control, vcpu), guest: new GuestGate(control, vcpu) };
  }

  function running() {
    const pair = gates();
    pair.host.grant(100);
    assert.ok(pair.guest.awaitGrant());
    return pair;
  }

  test("passes grant and exit across, with when, why and until when", () => {
    const { host, guest } = gates();
    const farNs = MAX_TIME_NS - 1;
    for (const [reason, wakeAt] of [
      [ExitReason.Kicked, 0],
      [ExitReason.Halted, farNs],
      [ExitReason.Halted, Number.POSITIVE_INFINITY],
      [ExitReason.Offline, 0],
    ] as const) {
      host.grant(123_456_789_012);
      assert.equal(guest.awaitGrant(), true);
      assert.equal(guest.grantedAt, 123_456_789_012);
      assert.equal(guest.kicked, false);
      assert.equal(host.collectExit(), false, "it has not exited");
      guest.exit(reason, wakeAt, farNs);
      assert.equal(host.collectExit(), true);
      assert.deepEqual([host.reason, host.wakeAt, host.exitedAt], [reason, wakeAt, farNs]);
      assert.equal(host.collectExit(), false, "an exit is collected once");
    }
  });

  test("a kick is seen by who runs, and acknowledged by its exit", () => {
    const { host, guest } = running();
    host.kick();
    assert.equal(guest.kicked, true);
    assert.equal(host.collectExit(), false);
    guest.exit(ExitReason.Kicked, 0, 200);
    assert.equal(host.collectExit(), true);
    assert.equal(host.reason, ExitReason.Kicked);
  });

  test("a kick before the thread woke withdraws the grant, and is acknowledged all the same", () => {
    const { host, guest } = gates();
    host.grant(100);
    host.kick();
    assert.equal(guest.awaitGrant(), true);
    assert.equal(guest.kicked, true);
    guest.exit(ExitReason.Kicked, 0, 200);
    assert.equal(host.collectExit(), true);
  });

  test("a kick is not lost on a thread that wakes at any moment of it", () => {
    for (let access = 0; ; access++) {
      const { host, guest } = gates();
      host.grant(100);
      const reached = intrudeAt(
        access,
        () => assert.ok(guest.awaitGrant()),
        () => host.kick(),
      );
      if (!reached) break;
      assert.equal(guest.kicked, true, `woke before access ${access}`);
    }
  });

  test("a kick that meets an exit changes nothing: not the reason, and not the next grant", () => {
    const { host, guest } = running();
    guest.exit(ExitReason.Halted, 900, 200);
    host.kick();
    assert.equal(host.collectExit(), true);
    assert.deepEqual([host.reason, host.wakeAt], [ExitReason.Halted, 900]);
    host.kick();
    host.grant(900);
    assert.equal(guest.awaitGrant(), true);
    assert.equal(guest.kicked, false);
  });

  test("a grant is taken only by one that is parked", () => {
    const { host, guest } = running();
    host.kick();
    host.grant(200);
    assert.equal(guest.kicked, true, "no grant takes a kick back");
    guest.exit(ExitReason.Kicked, 0, 300);
    host.grant(400);
    assert.equal(host.collectExit(), true, "the exit is not overwritten");
    host.grant(500);
    assert.ok(guest.awaitGrant());
    assert.deepEqual([guest.kicked, guest.grantedAt], [false, 500]);
  });

  test("a shutdown ends the wait for a grant, whatever came before it, and nothing opens the gate again", () => {
    const shutdownAfter: readonly ((host: HostGate, guest: GuestGate) => void)[] = [
      () => {},
      (host) => host.grant(1),
      (host) => {
        host.grant(1);
        host.kick();
      },
      (host, guest) => {
        host.grant(1);
        guest.awaitGrant();
      },
    ];
    for (const before of shutdownAfter) {
      const { host, guest } = gates();
      before(host, guest);
      host.shutdown();
      assert.ok(guest.shutDown && guest.kicked);
      host.grant(2);
      host.kick();
      guest.exit(ExitReason.Kicked, 0, 3);
      assert.equal(host.collectExit(), false);
      assert.equal(guest.awaitGrant(), false);
    }
  });

  test("the neighbour's is another, and noise, thread and boot are each vCPU's own", () => {
    const control = ControlMemory.allocate(2);
    const [hosts, guests] = [
      [0, 1].map((id) => new HostGate(control, id)),
      [0, 1].map((id) => new GuestGate(control, id)),
    ];
    guests[1].announceThread(4_321);
    guests[1].announceBooted();
    guests[1].addNoise(5);
    guests[1].addNoise(7.5);
    hosts[0].grant(1);
    assert.deepEqual(
      hosts.map(({ booted, threadId, noiseNs }) => [booted, threadId, noiseNs]),
      [
        [false, 0, 0],
        [true, 4_321, 12.5],
      ],
    );
    assert.ok(guests[0].awaitGrant());
    assert.ok(guests[1].kicked, "still parked");
  });

  test("boot and exit wake the hypervisor", () => {
    const { control, host, guest } = gates();
    const events = (): number => Atomics.load(control.words, EVENT_COUNTER);
    guest.announceBooted();
    assert.equal(events(), 1);
    host.grant(1);
    guest.awaitGrant();
    assert.equal(events(), 1);
    guest.exit(ExitReason.Kicked, 0, 2);
    assert.equal(events(), 2);
  });

  test("an exit for no reason that there is would be a defect, and is one", () => {
    assert.throws(() => gates().host.reason, /gate holds exit reason 0/);
  });

  test("between two threads: parked until granted, and ended by the shutdown", async () => {
    const { control, host } = gates();
    const worker = guestThread(control);
    for (let round = 1; round <= 20; round++) {
      host.grant(round);
      if (round % 2 === 0) host.kick();
      waitFor(control, () => host.collectExit());
      assert.deepEqual([host.reason, host.wakeAt], [ExitReason.Halted, 2 * round]);
    }
    host.shutdown();
    const code = await new Promise((resolve) => worker.once("exit", resolve));
    assert.equal(code, 0);
    assert.equal(host.collectExit(), false);
  });
});

/** A thread that halts as soon as it is granted, until twice the instant of its grant. */
function guestThread({ buffer }: ControlMemory): Worker {
  const body = `
    const { workerData } = require("node:worker_threads");
    const { ControlMemory } = require(workerData.controlMemory);
    const { GuestGate } = require(workerData.vcpuGate);
    const gate = new GuestGate(new ControlMemory(workerData.buffer, 2), 0);
    while (gate.awaitGrant()) gate.exit(${ExitReason.Halted}, 2 * gate.grantedAt, gate.grantedAt);
  `;
  const controlMemory = require.resolve("../src/engine/real/control-memory.js");
  const vcpuGate = require.resolve("../src/engine/real/vcpu-gate.js");
  return new Worker(body, { eval: true, workerData: { buffer, controlMemory, vcpuGate } });
}

/** Sleeps from event to event until something has happened; a minute is for ever. */
function waitFor(control: ControlMemory, happened: () => boolean): void {
  for (;;) {
    const seen = Atomics.load(control.words, EVENT_COUNTER);
    if (happened()) return;
    assert.notEqual(Atomics.wait(control.words, EVENT_COUNTER, seen, 60_000), "timed-out");
  }
}

describe("hypercalls through a mailbox", () => {
  /** A hypervisor that answers as soon as it is woken: before the guest, in the same thread, begins to wait. */
  class AnsweringControl extends ControlMemory {
    answer: () => void = () => {};

    override signal(): void {
      super.signal();
      this.answer();
    }
  }

  function machine(vcpu = 1) {
    const control = new AnsweringControl(ControlMemory.allocate(2).buffer, 2);
    const ram = sharedWords((4 * GUEST_PAGE_BYTES) / 4);
    const { host } = buildHost(scenarioOf({ stealUnit: "ns" }), ram, {
      auditOf: () => null,
      tsc: new Tsc(2_600_000),
      observers: [],
    });
    const mailboxes = [0, 1].map((id) => new HostMailbox(control, id));
    const serve = (): void => {
      for (const mailbox of mailboxes) mailbox.serve(host, 5 * NS_PER_SECOND);
    };
    control.answer = serve;
    return { control, host, serve, hypercalls: new MailboxHypercalls(control, vcpu) };
  }

  test("cpuid gives what the host gives, all 32 bits of every register", () => {
    const { host, hypercalls } = machine();
    const [direct, mailed] = [new CpuidRegisters(), new CpuidRegisters()];
    for (const leaf of [0x4000_0000, 0x4000_0001, 0x4000_0002, 0xffff_ffff]) {
      host.cpuid(leaf, direct);
      hypercalls.cpuid(leaf, mailed);
      assert.deepEqual(mailed, direct, `leaf ${leaf}`);
    }
    host.platform.cpuid = (_leaf, out) => out.set(2 ** 32 - 1, 2 ** 31, 1, 0);
    hypercalls.cpuid(1, mailed);
    assert.deepEqual([mailed.eax, mailed.ebx, mailed.ecx, mailed.edx], [2 ** 32 - 1, 2 ** 31, 1, 0]);
  });

  test("an MSR write arrives whole, for the vCPU that made it, and its verdict comes back", () => {
    const { host, hypercalls } = machine();
    assert.equal(hypercalls.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, new U64().setNumber(0x1001)), true);
    assert.equal(host.publisher.pageOf(1).base * 4, 0x1000);
    assert.equal(host.publisher.pageOf(0).base, -1);
    const beyond = new U64().set(0xffff_fffe, 0x1001);
    assert.equal(hypercalls.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, beyond), false);
    assert.match(host.platform.refusalOf(1) ?? "", /^0xfffffffe00001000: beyond guest RAM/);
    assert.equal(hypercalls.writeMsr(0xc000_0080, new U64()), false);
    assert.match(host.platform.refusalOf(1) ?? "", /^MSR 0xc0000080 is not known/);
  });

  test("without a request nothing is served, and a request is served once", () => {
    const { control, host, hypercalls, serve } = machine();
    serve();
    assert.equal(host.publisher.pageOf(1).updates, 0);
    hypercalls.writeMsr(MSR_KVM_SYSTEM_TIME_NEW, new U64().setNumber(0x1001));
    serve();
    serve();
    assert.equal(host.publisher.pageOf(1).updates, 1);
    assert.equal(Atomics.load(control.words, EVENT_COUNTER), 1);
  });

  test("a mailbox and the gate of the same vCPU do not touch each other", () => {
    const { control, hypercalls } = machine();
    const [host, guest] = [new HostGate(control, 1), new GuestGate(control, 1)];
    guest.announceThread(77);
    guest.addNoise(1.25);
    host.grant(3);
    assert.ok(guest.awaitGrant());
    hypercalls.writeMsr(0xffff_ffff, new U64().set(0xffff_ffff, 0xffff_ffff));
    hypercalls.cpuid(0x4000_0000, new CpuidRegisters());
    assert.deepEqual([guest.kicked, guest.grantedAt, host.threadId, host.noiseNs], [false, 3, 77, 1.25]);
    guest.exit(ExitReason.Halted, 9, 8);
    const registers = new CpuidRegisters();
    hypercalls.cpuid(0x4000_0000, registers);
    assert.equal(registers.eax, 0x4000_0001);
    assert.ok(host.collectExit());
    assert.deepEqual([host.reason, host.wakeAt, host.exitedAt], [ExitReason.Halted, 9, 8]);
  });
});

describe("schedstat", () => {
  const path = "/proc/thread-self/schedstat";
  const skip = existsSync(path) ? false : "no schedstat here";

  test("of this thread is what stands in the file, between a look before and a look after", { skip }, () => {
    const look = (): number[] => readFileSync(path, "latin1").trim().split(" ").map(Number);
    const schedstat = Schedstat.open(currentThreadId());
    assert.notEqual(schedstat, null);
    if (schedstat === null) return;
    for (let round = 0; round < 5; round++) {
      const before = look();
      schedstat.read();
      const found = [schedstat.onCpuNs, schedstat.runDelayNs, schedstat.slices];
      const after = look();
      found.forEach((value, field) => {
        assert.ok(before[field] <= value && value <= after[field], `${before}; ${found}; ${after}`);
      });
    }
    assert.ok(schedstat.onCpuNs > 0);
    schedstat.close();
  });

  test("of a thread that there is not is null, and once closed keeps its last figures", { skip }, () => {
    assert.equal(Schedstat.open(0), null);
    assert.equal(Schedstat.open(-1), null);
    const schedstat = Schedstat.open(currentThreadId());
    const onCpuNs = schedstat?.onCpuNs;
    schedstat?.close();
    schedstat?.read();
    assert.equal(schedstat?.onCpuNs, onCpuNs);
  });
});

describe("a cost meter", () => {
  function medianOf(samples: readonly number[]): number | null {
    const meter = new CostMeter();
    for (const sample of samples) meter.record(sample);
    return meter.medianNs;
  }

  test("has no median of nothing, and the middle of what there is", () => {
    assert.equal(medianOf([]), null);
    assert.equal(medianOf([7]), 7);
    // By number, not by text.
    assert.equal(medianOf([1_000, 9, 20]), 20);
    assert.equal(medianOf([5, 1_000_000, 4, 3, 6]), 5);
  });

  test("forgets all but the last 256", () => {
    const older = new Array<number>(1_000).fill(1_000_000);
    const newer = Array.from({ length: 256 }, (_, index) => index);
    assert.equal(medianOf([...older, ...newer]), 128);
    assert.equal(medianOf([...older, ...newer.slice(0, 127)]), 1_000_000);
  });
});

describe("the clock monitor", () => {
  function monitors(count: number): ClockMonitor[] {
    const longs = new BigInt64Array(new SharedArrayBuffer(16));
    return Array.from({ length: count }, () => new ClockMonitor(new SharedClockMaximum(longs, 1)));
  }

  test("finds steps back before and behind the guard, and how far the raw ones went", () => {
    const [monitor] = monitors(1);
    monitor.after(monitor.before(), 1_000, 1_000);
    monitor.after(monitor.before(), 998, 1_000);
    monitor.after(monitor.before(), 999, 1_000);
    assert.deepEqual(monitor.figures(), { monitored: 3, rawBackwardSteps: 2, maxRawBackwardNs: 2, backwardSteps: 0 });
    monitor.after(monitor.before(), 999, 999);
    assert.deepEqual(monitor.figures(), { monitored: 4, rawBackwardSteps: 3, maxRawBackwardNs: 2, backwardSteps: 1 });
  });

  test("standing still is no step back", () => {
    const [monitor] = monitors(1);
    for (let reading = 0; reading < 3; reading++) monitor.after(monitor.before(), 5, 5);
    assert.deepEqual(monitor.figures(), { monitored: 3, rawBackwardSteps: 0, maxRawBackwardNs: 0, backwardSteps: 0 });
  });

  test("holds a CPU's reading against every other CPU's", () => {
    const [a, b] = monitors(2);
    a.after(a.before(), MAX_TIME_NS, MAX_TIME_NS);
    assert.equal(b.before(), MAX_TIME_NS);
    b.after(b.before(), MAX_TIME_NS - 3, MAX_TIME_NS - 3);
    assert.deepEqual(a.figures(), { monitored: 1, rawBackwardSteps: 0, maxRawBackwardNs: 0, backwardSteps: 0 });
    assert.deepEqual(b.figures(), { monitored: 1, rawBackwardSteps: 1, maxRawBackwardNs: 3, backwardSteps: 1 });
    assert.equal(a.before(), MAX_TIME_NS, "a step back does not lower the maximum");
  });

  test("a reading that began before another CPU's is not held against it", () => {
    const [a, b] = monitors(2);
    const before = a.before();
    b.after(b.before(), 2_000, 2_000);
    a.after(before, 1_500, 1_500);
    assert.equal(a.figures().backwardSteps, 0);
  });

  test("a raise that another CPU overtakes leaves the larger value", () => {
    for (const [other, expected] of [
      [70, 70],
      [60, 65],
    ]) {
      const [a, b] = monitors(2);
      a.after(a.before(), 50, 50);
      const before = a.before();
      // Just before the compare and exchange of a's raise, its second access.
      const reached = intrudeAt(
        1,
        () => b.after(0, other, other),
        () => a.after(before, 65, 65),
      );
      assert.ok(reached);
      assert.equal(b.before(), expected);
    }
  });
});

describe("the machine's clock", () => {
  test("never goes back, whichever of the threads' clocks over one origin is asked", () => {
    const origin = process.hrtime();
    const clocks = Array.from({ length: 4 }, () => new RealClock(origin));
    let lastNs = 0;
    for (let reading = 0; reading < 40_000; reading++) {
      const ns = clocks[reading % 4].nowNs();
      assert.ok(ns >= lastNs && Number.isSafeInteger(ns), `${ns} after ${lastNs}`);
      lastNs = ns;
    }
    assert.ok(lastNs > 0);
  });

  test("counts from its origin, and keeps to it if the caller changes its own", () => {
    const [seconds, ns] = process.hrtime();
    const origin: [number, number] = [seconds - 5_000, ns];
    const clock = new RealClock(origin);
    origin[0] += 4_000;
    assert.ok(clock.nowNs() >= 5_000 * NS_PER_SECOND);
  });

  test("a call's cost is the least of several means", () => {
    let calls = 0;
    // 10 ns a call, but for one interruption.
    const clock = {
      nowNs: (): Ns => {
        calls++;
        return calls * 10 + (calls > 100 ? 1_000_000 : 0);
      },
    };
    assert.equal(measureClockCostNs(clock), 10);
  });
});

describe("a fault that is asked for", () => {
  const fault = { kind: "throw", part: 0, afterNs: 1_000 } as const;

  test("does not come before its time, nor ever when none is asked for", () => {
    dieWhenDue(fault, 0);
    dieWhenDue(fault, 999);
    dieWhenDue(null, MAX_TIME_NS);
  });

  test("comes at its time, and later if nobody asked then", () => {
    for (const sinceStartNs of [1_000, 1_001, MAX_TIME_NS]) {
      assert.throws(() => dieWhenDue(fault, sinceStartNs), /a fault that the scenario asks for/);
    }
  });
});
