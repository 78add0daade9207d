import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type PageLocation, PageReader } from "../src/guest/page-reader.js";
import { pvclockReadNs } from "../src/guest/pvclock-in-halves.js";
import { StealClock } from "../src/guest/steal-clock.js";
import { PAGE_WORDS, PAGE_WORDS_NS, packShiftAndFlags } from "../src/shared/pvclock-page.js";
import { tscRateOf } from "../src/shared/tsc.js";
import { U64 } from "../src/shared/u64.js";
import { readPage, writePage } from "../src/shared/version-protocol.js";
import { encodePvclock, type PvclockStruct, putPvclock, sharedWords } from "./fixtures/pvclock-struct.js";
import { DIRECTORY, isLive, load, type PageRow, type Rows, structOf } from "./fixtures/recordings.js";

// What a real KVM host wrote, and what its own clocks and scheduler said meanwhile: test/fixtures/recordings/README.md.

interface Recording {
  readonly name: string;
  /**
   * Share of rows on which the steal page says exactly what the scheduler said. In `hotread` every row was taken by the
   * vCPU's own thread just after it left the guest; if it was kept waiting on its way out, steal follows at the next
   * entry. The others have mostly rows of a sampler, which finds the thread in the guest.
   */
  readonly equalShare: number;
}

const RECORDINGS: readonly Recording[] = [
  { name: "kvm-pages-alone", equalShare: 0.999 },
  { name: "kvm-pages-contention", equalShare: 0.9 },
  { name: "kvm-pages-trace-e", equalShare: 0.9 },
  { name: "kvm-pages-hotread", equalShare: 0.49 },
];

const u64 = (value: number): U64 => new U64().setNumber(value);

/** The page's bytes, read by our guest. */
function decode(row: PageRow): Int32Array {
  const ram = sharedWords(PAGE_WORDS);
  const words = new Int32Array(PAGE_WORDS);
  putPvclock(ram, 0, structOf(row));
  assert.equal(readPage(ram, 0, words, PAGE_WORDS, 0), 0);
  return words;
}

/** kvmclock less CLOCK_MONOTONIC_RAW: raw_ns was read between the two TSCs, so the difference lies between two, too. */
interface OffsetBounds {
  readonly rawNs: number;
  readonly leastNs: number;
  readonly mostNs: number;
}

function offsetBoundsOf(row: PageRow): OffsetBounds {
  const words = decode(row);
  const readNs = (tsc: number): number => pvclockReadNs(words, u64(tsc), new U64()).toNumber();
  return { rawNs: row.raw_ns, leastNs: readNs(row.tsc0) - row.raw_ns, mostNs: readNs(row.tsc1) - row.raw_ns };
}

/** How much room all rows together leave for one constant offset, when the clocks drift apart; negative: none. */
function roomForOffsetNs(bounds: readonly OffsetBounds[], drift: number): number {
  // Sums are taken relative to the first row: ns since boot times a drift would lose digits.
  const [first] = bounds;
  let leastNs = -Infinity;
  let mostNs = Infinity;
  for (const row of bounds) {
    const driftedNs = (row.rawNs - first.rawNs) * drift;
    leastNs = Math.max(leastNs, row.leastNs - first.leastNs - driftedNs);
    mostNs = Math.min(mostNs, row.mostNs - first.leastNs - driftedNs);
  }
  return mostNs - leastNs;
}

/**
 * Both clocks scale the same TSC, by multipliers of different precision. The page's has 32 bits. CLOCK_MONOTONIC_RAW's
 * is rounded to the nearest at a shift of 24, about 6.5 million, and so off by up to 78 parts in 10^9. At 2,599.998 MHz
 * it is 6,452,780 and kvmclock runs faster by 53.9 parts in 10^9: 216 ns in the 4 s of a recording.
 */
function driftOf({ tscKhz, pages }: Rows): number {
  const { mul, shift } = pages.filter(isLive)[0].pvc;
  const kvmclockNsPerCycle = (mul * 2 ** shift) / 2 ** 32;
  const rawNsPerCycle = Math.round((2 ** 24 * 1_000_000) / tscKhz) / 2 ** 24;
  return kvmclockNsPerCycle / rawNsPerCycle - 1;
}

const MAX_DRIFT = 78e-9;

for (const { name, equalShare } of RECORDINGS) {
  test(`${name}: our kvmclock on every page brackets the host's raw clock, up to one offset and a drift`, (t) => {
    const rows = load(name);
    const live = rows.pages.filter(isLive);
    const bounds = live.map(offsetBoundsOf);
    const drift = driftOf(rows);
    const roomNs = roomForOffsetNs(bounds, drift);
    t.diagnostic(`${live.length} pages, ${(drift * 1e9).toFixed(1)} ppb, one offset to within ${roomNs.toFixed(0)} ns`);
    assert.ok(live.length > 100);
    assert.ok(Math.abs(drift) < MAX_DRIFT);
    assert.ok(roomNs >= 0, `no offset fits: ${roomNs} ns`);
    // The rows are a strict judge: a multiplier wrong by one part in ten million would not pass.
    assert.ok(roomForOffsetNs(bounds, drift - 1e-7) < 0);
    assert.ok(roomForOffsetNs(bounds, drift + 1e-7) < 0);
  });

  test(`${name}: the real host's multiplier and shift are the ones that we find`, () => {
    const { tscKhz, pages } = load(name);
    for (const { pvc } of pages.filter(isLive)) {
      assert.deepEqual(tscRateOf(tscKhz), { tscToSystemMul: pvc.mul, tscShift: pvc.shift });
    }
  });

  test(`${name}: before the first entry a page is zero, and reads as version 0`, () => {
    const unwritten = load(name).pages.filter((row) => !isLive(row));
    assert.deepEqual(
      unwritten.map(({ who }) => who),
      ["before-first-run"],
    );
    assert.ok(unwritten.every((row) => decode(row).every((word) => word === 0)));
  });

  // What steal_time of the KVM selftests asserts, on what our guest makes of the real pages. A row's schedstat stands
  // behind its pages: read after them, what the scheduler added in between makes run_delay larger, never smaller.
  test(`${name}: steal as our guest takes it is never more than the host's run_delay, and catches up`, (t) => {
    const guest = stealMachine();
    const { pages } = load(name);
    let baselineNs = 0;
    let equal = 0;
    let waitedNs = 0;
    let waitedAtVersion = 0;
    for (const { st, ss } of pages.filter(isLive)) {
      assertUndisturbed(st);
      if (baselineNs === 0) baselineNs = st.steal;
      const stealNs = baselineNs + guest.take(st.ver, st.steal);
      assert.ok(stealNs <= ss.run_delay, `version ${st.ver}: ${stealNs} > ${ss.run_delay}`);
      // What was missing once is there with the next update.
      if (st.ver > waitedAtVersion) assert.ok(stealNs >= waitedNs, `version ${st.ver}: ${stealNs} < ${waitedNs}`);
      if (stealNs === ss.run_delay) equal++;
      waitedNs = ss.run_delay;
      waitedAtVersion = st.ver;
    }
    const live = pages.filter(isLive).length;
    t.diagnostic(`steal equals run_delay on ${equal} of ${live} rows, ${((equal / live) * 100).toFixed(1)} %`);
    assert.ok(equal >= equalShare * live, `equal on ${equal} of ${live}`);
  });

  test(`${name}: our guest takes from each version what the real guest and the host read under it`, () => {
    const { pages, guest } = load(name);
    const machine = stealMachine();
    const seen = [
      ...pages.filter(isLive).map(({ tsc0, st }) => ({ tsc: tsc0, version: st.ver, stealNs: st.steal })),
      ...guest.map(({ tsc, ver, steal }) => ({ tsc, version: ver, stealNs: steal })),
    ].toSorted((a, b) => a.tsc - b.tsc);
    const [first] = seen;
    let lastVersion = 0;
    let takenNs = 0;
    for (const { version, stealNs } of seen) {
      assert.ok(version >= lastVersion && version % 2 === 0);
      const newTakenNs = machine.take(version, stealNs);
      assert.equal(first.stealNs + newTakenNs, stealNs);
      // One version has one value.
      if (version === lastVersion) assert.equal(newTakenNs, takenNs);
      lastVersion = version;
      takenNs = newTakenNs;
    }
  });

  test(`${name}: from one version to the next, our writer counts as the real host does`, () => {
    const { pages, guest } = load(name);
    const versions = guest.length > 0 ? guest.map(({ ver }) => ver) : pages.filter(isLive).map(({ st }) => st.ver);
    const ram = sharedWords(PAGE_WORDS);
    let lastVersion = versions[0];
    let steps = 0;
    for (const version of versions) {
      // The guest looked now and then, so there may be updates that it did not see.
      for (ram[0] = lastVersion; ram[0] < version; steps++)
        writePage(ram, 0, new Int32Array(PAGE_WORDS), PAGE_WORDS, null);
      assert.equal(ram[0], version);
      lastVersion = version;
    }
    assert.ok(steps > 50, `${steps} updates`);
  });
}

/** A guest whose page holds the recorded steal as our 64-bit field. */
function stealMachine() {
  const ram = sharedWords(PAGE_WORDS_NS);
  const page: PageLocation = { base: 0, audit: null };
  const clock = new StealClock(new PageReader(ram, PAGE_WORDS_NS), page, true);
  const rest = { stealMs: 0, tscTimestamp: 0n, systemTimeNs: 0n, tscToSystemMul: 2 ** 31, tscShift: 0, flags: 0b1100 };
  /** @returns all that was taken so far; nothing at the first, which is the baseline */
  const take = (version: number, stealNs: number): number => {
    putPvclock(ram, 0, { ...rest, version, stealNs: BigInt(stealNs) });
    if (clock.active) clock.takeNs();
    else clock.enable();
    assert.equal(clock.stretches.at(-1)?.lastVersion, version);
    return clock.takenNs;
  };
  return { take };
}

/** A recorded look at the steal page met no update: the peers' versions are even, their flags and preempted 0. */
function assertUndisturbed({ ver, ver_after, flags, preempted }: PageRow["st"]): void {
  assert.equal(ver % 2, 0);
  assert.equal(ver_after, ver);
  assert.deepEqual([flags, preempted], [0, 0]);
}

/** An update of the pvclock page as the host's own trace tells it. */
function updatesInTrace(): PvclockStruct[] {
  const text = readFileSync(join(DIRECTORY, "trace-e-pvclock-updates.txt"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => {
      const field = (name: string): string => new RegExp(`\\b${name} (-?\\w+)`).exec(line)?.[1] ?? "";
      return {
        version: Number(field("version")),
        stealMs: 0,
        tscTimestamp: BigInt(field("tsc_timestamp")),
        systemTimeNs: BigInt(field("system_time")),
        tscToSystemMul: Number(field("tsc_to_system_mul")),
        tscShift: Number(field("tsc_shift")),
        flags: Number(field("flags")),
      };
    });
}

test("our writer makes of what the host traced the pages that were seen in guest memory", () => {
  const { pages } = load("kvm-pages-trace-e");
  const updates = updatesInTrace();
  assert.deepEqual(
    updates.map(({ version }) => version),
    [2, 4],
  );
  const ram = sharedWords(PAGE_WORDS);
  for (const update of updates) {
    const halves = (value: bigint): [number, number] => [Number(value & 0xffff_ffffn), Number(value >> 32n)];
    const [tscLow, tscHigh] = halves(update.tscTimestamp);
    const [nsLow, nsHigh] = halves(update.systemTimeNs);
    const shiftAndFlags = packShiftAndFlags(update.tscShift, update.flags);
    const values = Int32Array.of(0, 0, tscLow, tscHigh, nsLow, nsHigh, update.tscToSystemMul, shiftAndFlags);
    writePage(ram, 0, values, PAGE_WORDS, null);
    const written = Buffer.from(ram.buffer).toString("hex");
    const seen = pages.filter(({ pvc }) => pvc.ver === update.version);
    assert.ok(seen.length > 0);
    for (const row of seen) assert.equal(written, Buffer.from(encodePvclock(structOf(row))).toString("hex"));
  }
});
