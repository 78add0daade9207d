import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Kvmclock } from "../src/guest/kvmclock.js";
import { LastValue } from "../src/guest/last-value.js";
import { type PageLocation, PageReader } from "../src/guest/page-reader.js";
import { PvclockInHalves, pvclockReadNs } from "../src/guest/pvclock-in-halves.js";
import { TscRegister } from "../src/guest/tsc-register.js";
import { PvclockPublisher } from "../src/host/pvclock-publisher.js";
import type { Clock } from "../src/shared/clock.js";
import { PAGE_WORDS } from "../src/shared/pvclock-page.js";
import { Tsc } from "../src/shared/tsc.js";
import { U64 } from "../src/shared/u64.js";
import { MAX_TIME_NS } from "../src/shared/units.js";
import { setGuestStopped } from "../src/shared/version-protocol.js";
import { intrudeAt, withSpiedAtomics } from "./fixtures/atomics-spy.js";
import { type PvclockStruct, putPvclock, pvclockNs, sharedWords } from "./fixtures/pvclock-struct.js";

const RUNS = { seed: 20100830, numRuns: 1_000 };
const NS_PER_SECOND = 1_000_000_000;
/** 2.599998 GHz, as the page carries it. */
const RATE = { tscToSystemMul: 3_303_823_538, tscShift: -1 };

const LAST_VALUE_WORD = 0;
const pageOf = (cpu: number): PageLocation => ({ base: 16 * (cpu + 1), audit: null });

/** A clock that shows what the test sets, and can do something whenever it is asked. */
class SetClock implements Clock {
  ns = 0;
  asked = 0;
  whenAsked: () => void = () => {};

  nowNs(): number {
    this.asked++;
    this.whenAsked();
    return this.ns;
  }
}

/** A host with its publisher, and as many guest CPUs as there are pages: each with a reader and a kvmclock of its own. */
function machine(cpus: number, tscKhz = 2_599_998) {
  const ram = sharedWords(16 * (cpus + 1));
  const clock = new SetClock();
  const tsc = new Tsc(tscKhz);
  const config = { policy: "entry", offersSteal: true, nanoseconds: false, tsc, stealAtStartNs: 0 } as const;
  const host = new PvclockPublisher(ram, cpus, { ...config, measuredNs: () => 0, auditOf: () => null }, []);
  const guests = Array.from({ length: cpus }, (_, cpu) => {
    const reader = new PageReader(ram, PAGE_WORDS);
    const arithmetic = new PvclockInHalves(reader.protocol, new LastValue(ram, LAST_VALUE_WORD));
    const kvmclock = new Kvmclock(reader, new TscRegister(clock, tsc), arithmetic);
    return { reader, kvmclock, page: pageOf(cpu), readNs: () => kvmclock.readNs(pageOf(cpu)) };
  });
  const anchor = (cpu: number, ns: number): void => host.register(cpu, pageOf(cpu).base, ns);
  return { ram, clock, host, guests, anchor };
}

/** A page as bytes, its stamp taken at an instant by the arithmetic that any host uses. */
function pageAt(stampNs: number, fields: Partial<PvclockStruct> = {}): PvclockStruct {
  const tscTimestamp = (BigInt(stampNs) * 2_599_998n) / 1_000_000n;
  return { version: 2, stealMs: 0, tscTimestamp, systemTimeNs: BigInt(stampNs), ...RATE, flags: 0, ...fields };
}

const anyNs = fc.integer({ min: 0, max: MAX_TIME_NS });

test("the arithmetic is the ABI's for any page and any TSC from the stamp on", () => {
  const anyU64 = fc.bigInt({ min: 0n, max: (1n << 63n) - 1n });
  const anyPage = fc.record({
    tscTimestamp: anyU64,
    systemTimeNs: fc.bigInt({ min: 0n, max: (1n << 62n) - 1n }),
    tscToSystemMul: fc.integer({ min: 2 ** 31, max: 2 ** 32 - 1 }),
    tscShift: fc.integer({ min: -4, max: 4 }),
    flags: fc.integer({ min: 0, max: 255 }),
  });
  fc.assert(
    fc.property(anyPage, fc.bigInt({ min: 0n, max: 1n << 55n }), (fields, delta) => {
      const page = { version: 2, stealMs: 0xffff_ffff, ...fields };
      const ram = sharedWords(8);
      putPvclock(ram, 0, page);
      const tsc = page.tscTimestamp + delta;
      const cycles = new U64().set(Number(tsc >> 32n), Number(tsc & 0xffff_ffffn));
      assert.equal(pvclockReadNs(ram, cycles, new U64()).toBigInt(), pvclockNs(page, tsc));
    }),
    RUNS,
  );
});

test("a TSC before the stamp counts as no time since", () => {
  const ram = sharedWords(8);
  putPvclock(ram, 0, pageAt(NS_PER_SECOND, { tscTimestamp: 0x1_0000_0000n }));
  for (const [high, low] of [
    [0, 0xffff_ffff],
    [0, 0],
    [1, 0],
  ]) {
    assert.equal(pvclockReadNs(ram, new U64().set(high, low), new U64()).toNumber(), NS_PER_SECOND);
  }
});

// kvm_clock_test of the KVM selftests: the guest's clock lies between the host's stamps before and after, which KVM
// works out by the same arithmetic.
test("the guest's clock lies between the host's stamps before and after the reading", () => {
  const passing = fc.nat({ max: 100_000 });
  fc.assert(
    fc.property(anyNs, fc.nat({ max: 10 * NS_PER_SECOND }), passing, passing, (stampNs, sinceNs, before, after) => {
      const { clock, guests, anchor } = machine(1);
      const page = pageAt(stampNs);
      const hostNs = (): number => Number(pvclockNs(page, (BigInt(clock.ns) * 2_599_998n) / 1_000_000n));
      anchor(0, stampNs);
      clock.ns = stampNs + sinceNs;
      const startNs = hostNs();
      clock.ns += before;
      const guestNs = guests[0].readNs();
      clock.ns += after;
      assert.ok(startNs <= guestNs && guestNs <= hostNs(), `${startNs} <= ${guestNs} <= ${hostNs()}`);
    }),
    RUNS,
  );
});

test("the guest's clock is never ahead of the host's, and behind by no more than 2 ns and the drift", () => {
  fc.assert(
    fc.property(anyNs, anyNs, fc.integer({ min: 1_000_000, max: 10_000_000 }), (a, b, tscKhz) => {
      const { clock, guests, anchor } = machine(1, tscKhz);
      const [stampNs, nowNs] = a < b ? [a, b] : [b, a];
      anchor(0, stampNs);
      clock.ns = nowNs;
      const behindNs = nowNs - guests[0].readNs();
      // From 1 GHz on, two roundings of less than 1 ns each; and a multiplier that errs by less than one part in 2^31.
      assert.ok(behindNs >= 0 && behindNs < 2 + (nowNs - stampNs) / 2 ** 31, `behind by ${behindNs} ns`);
    }),
    RUNS,
  );
});

test("pages stamped at different instants step back by a ns now and then; the guarded clock never does", () => {
  const { clock, guests, anchor } = machine(2);
  anchor(0, 0);
  anchor(1, 1_234_567);
  let largestRawNs = 0;
  let rawSteps = 0;
  let largestStepNs = 0;
  let lastNs = 0;
  for (let ns = NS_PER_SECOND; ns < NS_PER_SECOND + 20_000; ns++) {
    clock.ns = ns;
    for (const { kvmclock, readNs } of guests.toReversed()) {
      const guardedNs = readNs();
      assert.ok(guardedNs >= lastNs, `${guardedNs} after ${lastNs}`);
      lastNs = guardedNs;
      if (kvmclock.rawNs < largestRawNs) rawSteps++;
      largestStepNs = Math.max(largestStepNs, largestRawNs - kvmclock.rawNs);
      largestRawNs = Math.max(largestRawNs, kvmclock.rawNs);
    }
  }
  // The guard had something to do, or this has shown nothing.
  assert.ok(rawSteps > 100, `${rawSteps} raw steps back`);
  // Both lie within (now - 2 ns - drift, now]; the drift after a second is below half a ns.
  assert.ok(largestStepNs >= 1 && largestStepNs <= 2, `${largestStepNs} ns back`);
});

test("the guard holds for any anchors, in any order of reading", () => {
  const reads = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 3 }), fc.boolean()), { minLength: 20 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: MAX_TIME_NS / 2 }), reads, (startNs, steps) => {
      const { clock, guests, anchor } = machine(3);
      for (let cpu = 0; cpu < 3; cpu++) anchor(cpu, Math.floor((startNs * cpu) / 2));
      clock.ns = startNs;
      let lastNs = 0;
      for (const [cpu, passNs, anchored] of steps) {
        clock.ns += passNs;
        if (anchored) anchor(cpu, clock.ns);
        const guardedNs = guests[cpu].readNs();
        assert.ok(guardedNs >= lastNs && guardedNs <= clock.ns);
        assert.ok(guardedNs >= guests[cpu].kvmclock.rawNs);
        lastNs = guardedNs;
      }
    }),
    RUNS,
  );
});

test("with TSC_STABLE there is no guard: the host vouches for all pages", () => {
  const { ram, clock, guests } = machine(2);
  const [ahead, behind] = guests;
  clock.ns = 2 * NS_PER_SECOND;
  putPvclock(ram, ahead.page.base, pageAt(NS_PER_SECOND, { systemTimeNs: 50n * 1_000_000_000n }));
  const aheadNs = ahead.readNs();
  assert.ok(aheadNs > 50 * NS_PER_SECOND);

  putPvclock(ram, behind.page.base, pageAt(NS_PER_SECOND));
  assert.equal(behind.readNs(), aheadNs, "guarded");
  assert.ok(behind.kvmclock.rawNs <= clock.ns, "and the raw reading shows what the guard hid");
  putPvclock(ram, behind.page.base, pageAt(NS_PER_SECOND, { version: 4, flags: 0b0001 }));
  const stableNs = behind.readNs();
  assert.ok(stableNs <= clock.ns && stableNs >= clock.ns - 2, `${stableNs}`);
  assert.equal(behind.kvmclock.rawNs, stableNs);
  // Other flag bits are not that one.
  putPvclock(ram, behind.page.base, pageAt(NS_PER_SECOND, { version: 6, flags: 0b1110 }));
  assert.equal(behind.readNs(), aheadNs, "guarded again");
});

test("a page rewritten between its words and the TSC is read again: no TSC is scaled by another processor's rate", () => {
  const { ram, clock, guests } = machine(1);
  const [{ page, readNs }] = guests;
  clock.ns = 2 * NS_PER_SECOND;
  // A processor at half the speed, with a stamp far from the next one's.
  putPvclock(ram, page.base, pageAt(0, { tscTimestamp: 7n, systemTimeNs: 11n, tscShift: 0 }));
  clock.whenAsked = () => {
    if (clock.asked === 1) putPvclock(ram, page.base, pageAt(NS_PER_SECOND, { version: 4 }));
  };
  const readingNs = readNs();
  assert.equal(clock.asked, 2);
  assert.equal(readingNs, Number(pvclockNs(pageAt(NS_PER_SECOND), (2_000_000_000n * 2_599_998n) / 1_000_000n)));
});

test("a page that is being written when the TSC has been read is read again too", () => {
  const { ram, clock, guests } = machine(1);
  const [{ page, readNs, reader }] = guests;
  clock.ns = 2 * NS_PER_SECOND;
  putPvclock(ram, page.base, pageAt(0, { tscToSystemMul: 2 ** 31 }));
  clock.whenAsked = () => {
    // Left odd: the writer is descheduled there.
    if (clock.asked === 1) ram[page.base] = 3;
  };
  assert.equal(readNs(), 0);
  assert.equal(clock.asked, 1);
  assert.equal(reader.gaveUp, 1);
});

test("a page rewritten at every TSC read is given up on, after a bounded number of tries", () => {
  const { clock, guests, host, anchor } = machine(1);
  anchor(0, 0);
  clock.ns = NS_PER_SECOND;
  const lastNs = guests[0].readNs();
  clock.ns = 3 * NS_PER_SECOND;
  clock.whenAsked = () => host.publish(0, clock.ns);
  assert.equal(guests[0].readNs(), lastNs);
  assert.ok(clock.asked > 2 && clock.asked < 100_000, `${clock.asked}`);
});

test("an update at any access of a reading: the reading is between the instants before and after it", () => {
  let readings = 0;
  for (let access = 0; ; access++) {
    const { clock, guests, host, anchor } = machine(1);
    anchor(0, 0);
    clock.ns = NS_PER_SECOND;
    let readingNs = 0;
    const update = (): void => {
      clock.ns += 1_000;
      host.publish(0, clock.ns);
    };
    const reached = intrudeAt(access, update, () => {
      readingNs = guests[0].readNs();
    });
    if (!reached) break;
    readings++;
    assert.ok(readingNs >= NS_PER_SECOND - 3 && readingNs <= clock.ns, `${readingNs}, update before ${access}`);
  }
  assert.ok(readings > PAGE_WORDS);
});

test("when the page cannot be read, time stands still at the last value given out on any CPU", () => {
  const { ram, clock, guests, anchor } = machine(2);
  const [a, b] = guests;
  anchor(0, 0);
  anchor(1, 0);
  clock.ns = 1_000;
  const byA = a.readNs();
  clock.ns = 5_000;
  const byB = b.readNs();
  assert.ok(byB > byA);
  clock.ns = 9_000;
  ram[a.page.base] |= 1;
  assert.equal(a.readNs(), byB);
  assert.equal(a.kvmclock.rawNs, byB);
  assert.equal(a.reader.gaveUp, 1);
  // And goes on with the next update.
  anchor(0, 9_000);
  assert.equal(a.readNs(), 9_000);
});

test("when the shared last value cannot be read, a CPU's clock stands still at its own, with its page or without", () => {
  for (const pageVersion of [2, 3]) {
    const { ram, clock, guests, anchor } = machine(1);
    const [{ page, readNs }] = guests;
    anchor(0, 0);
    clock.ns = 5_000;
    const lastNs = readNs();
    clock.ns = 9_000;
    ram[page.base] = pageVersion;
    // The value's sequence moves on before every access, so that no look at it is confirmed.
    const readingNs = withSpiedAtomics(() => {
      ram[LAST_VALUE_WORD]++;
    }, readNs);
    assert.equal(readingNs, lastNs);
  }
});

test("a reading that finds GUEST_STOPPED clears it and tells of it once; the next update does not bring it back", () => {
  const { ram, clock, guests, host, anchor } = machine(1);
  const [{ kvmclock, page, readNs }] = guests;
  const flagsOfPage = (): number => new DataView(ram.buffer).getUint8(page.base * 4 + 29);
  anchor(0, 0);
  clock.ns = 5_000;
  readNs();
  assert.equal(kvmclock.takeGuestStopped(), false);

  setGuestStopped(ram, page.base);
  assert.equal(flagsOfPage(), 0b0110);
  assert.equal(kvmclock.takeGuestStopped(), false, "not read yet");
  readNs();
  assert.equal(flagsOfPage(), 0b0100);
  assert.equal(kvmclock.takeGuestStopped(), true);
  assert.equal(kvmclock.takeGuestStopped(), false, "told once");
  host.publish(0, clock.ns);
  readNs();
  assert.equal(kvmclock.takeGuestStopped(), false);
});

test("GUEST_STOPPED is remembered until somebody asks, and a page that cannot be read says nothing of it", () => {
  const { ram, clock, guests, anchor } = machine(1);
  const [{ kvmclock, page, readNs }] = guests;
  anchor(0, 0);
  clock.ns = 5_000;
  setGuestStopped(ram, page.base);
  ram[page.base] |= 1;
  readNs();
  assert.equal(kvmclock.takeGuestStopped(), false);
  anchor(0, clock.ns);
  for (let readings = 0; readings < 3; readings++) readNs();
  assert.equal(kvmclock.takeGuestStopped(), true);
});

// kvmclock_test of kvm-unit-tests: no backward step in many reads on each of two vCPUs. Here the host writes both pages
// anew all the time, and time passes by less than a reading's rounding.
test("no backward step in 200,000 readings on two CPUs whose pages are stamped anew all the time", () => {
  const { clock, guests, anchor } = machine(2);
  anchor(0, 0);
  anchor(1, 0);
  let lastNs = 0;
  let stepsBack = 0;
  for (let turn = 0; turn < 200_000; turn++) {
    clock.ns += turn % 3;
    const cpu = Math.imul(turn, 0x9e3779b1) >>> 31;
    if (turn % 7 === 0) anchor(cpu, clock.ns);
    const ns = guests[1 - cpu].readNs();
    if (ns < lastNs) stepsBack++;
    lastNs = ns;
  }
  assert.equal(stepsBack, 0);
  assert.ok(lastNs > clock.ns - 4);
});
