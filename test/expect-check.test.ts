import assert from "node:assert/strict";
import { test } from "node:test";
import { checkExpectations } from "../src/cli/expect/check-expectations.js";
import type { Expectations } from "../src/cli/expect/expect-schema.js";
import { parseScenario } from "../src/cli/scenario-file.js";
import { defaultScenario } from "../src/engine/default-scenario.js";
import type { RunResult } from "../src/engine/result.js";
import { runResult, vcpuResult } from "./cli-helpers.js";

/** 3 s of two vCPUs: half run, half waited; 30 ms of noise when it is a real one. */
function result(changes: Partial<RunResult> = {}): RunResult {
  return runResult({ ...defaultScenario(2), engine: "virtual" }, { engine: "virtual", ...changes });
}

function expectation(text: string): Expectations {
  const { expect } = parseScenario(`expect: ${text}`, "f.yaml").settings;
  assert.ok(expect !== undefined);
  return expect;
}

function check(text: string, run: RunResult): string[] {
  return checkExpectations(expectation(text), run).map(
    ({ field, vcpu, status, found }) => `${vcpu} ${field} ${status}: ${found}`,
  );
}

const INVARIANTS = "total invariants ok: ok";

test("all: each vCPU by itself, and the invariants of the run", () => {
  const run = result({ vcpus: [vcpuResult(0), vcpuResult(1, { guest: { stealNs: 900_000_000 } })] });
  assert.deepEqual(check("{ all: { guest.steal: 49..51 % } }", run), [
    "0 guest.steal ok: 50 %",
    "1 guest.steal failed: 30 %",
    INVARIANTS,
  ]);
});

test("an outcome says what was expected, in the words of the file", () => {
  const [outcome] = checkExpectations(expectation("{ all: { guest.steal: at least 51 % } }"), result());
  assert.deepEqual(outcome, {
    field: "guest.steal",
    vcpu: 0,
    expected: "at least 51 %",
    found: "50 %",
    status: "failed",
  });
});

test("both ends of a range belong to it, and nothing beyond them does", () => {
  const status = (text: string) =>
    checkExpectations(expectation(`{ all: { guest.steal: ${text} } }`), result())[0]?.status;
  assert.equal(status("50 %"), "ok");
  assert.equal(status("50..51 %"), "ok");
  assert.equal(status("49..50 %"), "ok");
  assert.equal(status("50.000001..51 %"), "failed");
  assert.equal(status("49..49.999999 %"), "failed");
  assert.equal(status("at least 50 %"), "ok");
  assert.equal(status("at least 50.000001 %"), "failed");
  assert.equal(status("at most 50 %"), "ok");
  assert.equal(status("at most 49.999999 %"), "failed");
});

test("vcpus: only those that are named; what all says holds as well", () => {
  assert.deepEqual(check("{ all: { lockups: 0 }, vcpus: { 1: { ticks: 751 }, 0-1: { ticks: 750 } } }", result()), [
    "0 lockups ok: 0",
    "0 ticks ok: 750",
    "1 lockups ok: 0",
    "1 ticks failed: 750",
    "1 ticks ok: 750",
    INVARIANTS,
  ]);
});

test("total: counts are summed, shares are of the summed time", () => {
  const vcpus = [vcpuResult(0), vcpuResult(1, { host: { runNs: 600_000_000 } })];
  assert.deepEqual(check("{ total: { host.run: 35 %, entries: 750 } }", result({ vcpus })), [
    "total host.run ok: 35 %",
    "total entries ok: 750",
    INVARIANTS,
  ]);
});

test("each figure is what its name says", () => {
  const vcpu = vcpuResult(0, {
    guest: {
      userNs: 300_000_000,
      systemNs: 600_000_000,
      idleNs: 900_000_000,
      stealNs: 1_050_000_000,
      stealDroppedIdleNs: 30_000_000,
      ticks: 1,
      lostTicks: 2,
      softlockups: { reported: 3, suppressed: 4 },
    },
    host: {
      runNs: 1_200_000_000,
      waitNs: 930_000_000,
      haltNs: 600_000_000,
      offlineNs: 270_000_000,
      noiseNs: 15_000_000,
      entries: 5,
      migrations: 6,
    },
    page: { updates: 7, stealMs: 8 },
  });
  const expected = `{ all: {
    guest.user: 10 %, guest.system: 20 %, guest.idle: 30 %, guest.steal: 35 %, guest.unaccounted: 5 %, guest.dropped: 1 %,
    top.user: 10.5..10.6 %, top.system: 21..21.1 %, top.idle: 31.5..31.6 %, top.steal: 36.8..36.9 %,
    host.run: 40 %, host.wait: 31 %, host.halt: 20 %, host.offline: 9 %, host.noise: 0.5 %, steal - wait: 4 points,
    ticks: 1, lostTicks: 2, lockups: 3, suppressed: 4, entries: 5, migrations: 6, page.updates: 7, page.stealMs: 8 } }`;
  const outcomes = checkExpectations(expectation(expected), result({ vcpus: [vcpu] }));
  assert.equal(outcomes.length, 25);
  assert.deepEqual(
    outcomes.filter(({ status }) => status !== "ok"),
    [],
  );
});

test("a broken invariant fails, whatever was expected; unchecked ones conclude nothing", () => {
  const broken = { name: "no torn value accepted", status: "broken", detail: "3 torn" } as const;
  assert.deepEqual(check("{ invariants: ok }", result({ ok: false, invariants: [broken] })), [
    "total invariants failed: broken: no torn value accepted",
  ]);
  assert.deepEqual(check("{ total: { lockups: 0 } }", result({ invariants: [] })), [
    "total lockups ok: 0",
    "total invariants inconclusive: not checked",
  ]);
});

test("a figure that is not known fails a virtual run: there is no noise that could hide it", () => {
  const vcpus = [vcpuResult(0, { host: { migrations: null } })];
  assert.deepEqual(check("{ all: { migrations: 0 } }", result({ vcpus })), [
    "0 migrations failed: not known",
    INVARIANTS,
  ]);
});

/** A real run of 3 s, ticks of 4 ms, 30 ms noise: 38 ms of 3 s either way, 1.2667 points. */
function real(host: Parameters<typeof vcpuResult>[1] = {}): RunResult {
  return runResult(defaultScenario(1), { vcpus: [vcpuResult(0, host)] });
}

test("a real run may stray by its noise and two ticks, and no further", () => {
  assert.deepEqual(check("{ all: { guest.steal: 51.26..60 % } }", real()), ["0 guest.steal ok: 50 %", INVARIANTS]);
  assert.deepEqual(check("{ all: { guest.steal: 51.27..60 % } }", real()), ["0 guest.steal failed: 50 %", INVARIANTS]);
  assert.deepEqual(check("{ all: { guest.steal: 40..48.74 % } }", real()), ["0 guest.steal ok: 50 %", INVARIANTS]);
  assert.deepEqual(check("{ all: { guest.steal: 40..48.73 % } }", real()), ["0 guest.steal failed: 50 %", INVARIANTS]);
  assert.deepEqual(check("{ all: { steal - wait: 1.26 points } }", real()), [
    "0 steal - wait ok: 0 points",
    INVARIANTS,
  ]);
  // 9.5 ticks, 38 ms, and 1.27 % of the switches and two more.
  assert.deepEqual(check("{ all: { ticks: 759..800, page.stealMs: 1538..1600, entries: 383..400 } }", real()), [
    "0 ticks ok: 750",
    "0 entries failed: 375",
    "0 page.stealMs ok: 1500",
    INVARIANTS,
  ]);
  assert.deepEqual(check("{ all: { ticks: 760..800, page.stealMs: 1539..1600, entries: 382..400 } }", real()), [
    "0 ticks failed: 750",
    "0 entries ok: 375",
    "0 page.stealMs failed: 1500",
    INVARIANTS,
  ]);
});

test("softlockups get no margin in a real run", () => {
  assert.deepEqual(check("{ all: { lockups: 1, suppressed: 1 } }", real()), [
    "0 lockups failed: 0",
    "0 suppressed failed: 0",
    INVARIANTS,
  ]);
});

test("with more than 5 % noise a real run concludes nothing, good or bad", () => {
  const [outcome] = checkExpectations(
    expectation("{ all: { guest.steal: 50 % } }"),
    real({ host: { noiseNs: 150_000_001 } }),
  );
  assert.equal(outcome?.status, "inconclusive");
  assert.equal(outcome?.found, "50 % at 5.0 % noise");
  const [quiet] = checkExpectations(
    expectation("{ all: { guest.steal: 50 % } }"),
    real({ host: { noiseNs: 150_000_000 } }),
  );
  assert.equal(quiet?.status, "ok");
});

test("softlockups conclude nothing when what the vCPU did not wait was noise, be it little", () => {
  const host = { runNs: 60_000_000, waitNs: 2_940_000_000, noiseNs: 3_000_001 };
  assert.deepEqual(check("{ all: { suppressed: 14, host.wait: 98 % } }", real({ host })), [
    "0 host.wait ok: 98 %",
    "0 suppressed inconclusive: 0 at 5.0 % noise",
    INVARIANTS,
  ]);
  const [quiet] = checkExpectations(
    expectation("{ all: { suppressed: 14 } }"),
    real({ host: { ...host, noiseNs: 3_000_000 } }),
  );
  assert.equal(quiet?.status, "failed");
});

test("a run that ended late had a hypervisor that was held up: that is noise as well", () => {
  const late = { ...real(), elapsedNs: 3_130_000_000 };
  const [outcome] = checkExpectations(expectation("{ all: { host.wait: 50 % } }"), late);
  assert.equal(outcome?.status, "inconclusive");
  assert.equal(outcome?.found, "47.923323 % at 5.1 % noise");
});

test("where the noise or a figure is not known, nothing is concluded", () => {
  assert.deepEqual(check("{ all: { lockups: 0, host.noise: 0 % } }", real({ host: { noiseNs: null } })), [
    "0 host.noise inconclusive: not known at noise not known",
    "0 lockups inconclusive: 0 at noise not known",
    INVARIANTS,
  ]);
  const linux = { host: { noiseNs: null, onCpuNs: 1_490_000_000, migrations: null } };
  assert.deepEqual(check("{ all: { guest.steal: 50.6 %, migrations: 0 } }", real(linux)), [
    "0 guest.steal ok: 50 %",
    "0 migrations inconclusive: not known at 0.3 % noise",
    INVARIANTS,
  ]);
});

test("a virtual run gets no margin: its noise is part of what is emulated", () => {
  assert.deepEqual(check("{ all: { guest.steal: 50.1 % } }", result()), [
    "0 guest.steal failed: 50 %",
    "1 guest.steal failed: 50 %",
    INVARIANTS,
  ]);
});

test("a vCPU that halts all the time has had no stall that noise could hide", () => {
  const idle = { runNs: 0, waitNs: 0, haltNs: 3_000_000_000, noiseNs: 2_000 };
  assert.deepEqual(check("{ all: { lockups: 0 } }", real({ host: idle })), ["0 lockups ok: 0", INVARIANTS]);
});
