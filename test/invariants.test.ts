import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assembleResult, type FinishedRun } from "../src/engine/assemble-result.js";
import { checkInvariants, type Evidence } from "../src/engine/check/invariants.js";
import { RunChecker } from "../src/engine/check/run-checker.js";
import { StealLog } from "../src/engine/check/steal-log.js";
import type { InvariantResult, RunResult, VcpuResult } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { reportOf, type StealReport, type VcpuReport } from "../src/engine/vcpu-report.js";
import type { VirtualMachine } from "../src/engine/virtual/virtual-machine.js";
import { LedgerState } from "../src/host/ledger.js";
import { OutState } from "../src/host/sched-notifier.js";
import { STEAL_MS_WORD, STEAL_NS_WORD } from "../src/shared/pvclock-page.js";
import { NS_PER_MS } from "../src/shared/units.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { checkerOf, machineOf, runToEnd, runVirtually } from "./virtual-helpers.js";

const CONSERVES = "the ledger conserves time";
const TORN = "no torn value accepted";
const VERSIONS = "versions are even and count the updates";
const CLOCKS = "guarded clocks never step back";
const PAGE = "page steal equals the ledger at the last write";
const LOG = "guest steal equals the host's log";
const AHEAD = "guest steal is never ahead of the host";

/** A finished run, and what it is judged by. */
interface Finished {
  readonly machine: VirtualMachine;
  readonly result: RunResult;
  readonly evidence: Evidence;
}

function finished(changes: ScenarioChanges = {}): Finished {
  const machine = machineOf({ vcpuCount: 3, ...changes });
  const result = runToEnd(machine);
  const { ram, host, guests, scenario } = machine;
  const evidence: Evidence = {
    elapsedNs: result.elapsedNs,
    ram,
    ledger: host.ledger,
    checker: checkerOf(machine),
    vcpus: result.vcpus,
    steal: guests.map(({ time: { stealClock } }) => stealReportOf(stealClock)),
    nanoseconds: scenario.stealUnit === "ns" && scenario.stealFeature,
    slowestTscKhz: scenario.tscKhz,
  };
  return { machine, result, evidence };
}

function stealReportOf({ takenNs, stretches }: StealReport): StealReport {
  return { takenNs, stretches: stretches.map((stretch) => ({ ...stretch })) };
}

/** The same vCPUs, with one part of one of them changed. */
function withVcpu<Part extends "guest" | "reads" | "clock">(
  vcpus: readonly VcpuResult[],
  which: number,
  part: Part,
  changes: Partial<VcpuResult[Part]>,
): VcpuResult[] {
  return vcpus.map((vcpu) => (vcpu.id === which ? { ...vcpu, [part]: { ...vcpu[part], ...changes } } : vcpu));
}

function withSteal({ steal }: Evidence, which: number, changes: Partial<StealReport>): StealReport[] {
  return steal.map((report, id) => (id === which ? { ...report, ...changes } : report));
}

function byStatus(invariants: readonly InvariantResult[], wanted: InvariantResult["status"]): string[] {
  return invariants.filter(({ status }) => status === wanted).map(({ name }) => name);
}

/** Exactly one invariant is broken, and its detail says what. */
function assertBroken(evidence: Evidence, name: string, detail: RegExp): void {
  const invariants = checkInvariants(evidence);
  assert.deepEqual(byStatus(invariants, "broken"), [name]);
  assert.match(invariants.find((invariant) => invariant.name === name)?.detail ?? "", detail);
}

describe("an untouched run", () => {
  for (const changes of [{}, { stealUnit: "ns" }, { accounting: "mainline" }, { measure: "wait" }] as const) {
    test(`keeps every invariant: ${JSON.stringify(changes)}`, () => {
      const { evidence, result } = finished(changes);
      const expected = [CONSERVES, VERSIONS, CLOCKS, PAGE, LOG, AHEAD];
      assert.deepEqual(byStatus(checkInvariants(evidence), "ok"), expected);
      assert.deepEqual(byStatus(result.invariants, "ok"), expected);
      // Nobody can overlap a write where nothing happens at once.
      assert.deepEqual(byStatus(result.invariants, "not exercised"), [TORN]);
      assert.equal(result.ok, true);
    });
  }
});

describe("the ledger's conservation", () => {
  test("is broken by one ns too much, also when the checker counted it too", () => {
    const { evidence, machine } = finished();
    const late = machine.now + 1;
    evidence.ledger.vcpus[1].changeTo(evidence.ledger.vcpus[1].state, late);
    assertBroken(evidence, CONSERVES, /^vCPU 1: states add up to 300000001 ns of 300000000; vCPU 1: \w+Ns is/);
    evidence.ledger.close(late);
    evidence.checker.close(late);
    assertBroken(
      evidence,
      CONSERVES,
      /^vCPU 0: states add up to 300000001 ns of 300000000; vCPU 1: [^;]*; vCPU 2: [^;]*$/,
    );
  });

  test("is broken by a ledger that adds up and that the notifications do not bear out", () => {
    const { evidence } = finished();
    evidence.ledger.vcpus[2].state = LedgerState.Run;
    evidence.ledger.vcpus[2].bookWait(1, 0);
    assertBroken(evidence, CONSERVES, /^vCPU 2: runNs is \d+, the notifications say \d+; vCPU 2: waitNs is/);
  });

  test("holds every state against the checker's", () => {
    for (const state of ["runNs", "waitNs", "haltNs", "offlineNs"] as const) {
      const { evidence } = finished();
      evidence.checker.witnesses[0][state] += 1;
      assertBroken(evidence, CONSERVES, new RegExp(`^vCPU 0: ${state} is \\d+, the notifications say \\d+$`));
    }
  });

  test("is broken by what the checker saw while it happened", () => {
    const { evidence } = finished();
    const violation = "vCPU 0 was granted pCPU 0 while vCPU 1 had it";
    evidence.checker.violations.push(violation);
    assertBroken(evidence, CONSERVES, new RegExp(`^${violation}$`));
  });
});

describe("the checker beside the host", () => {
  function begunChecker(vcpuCount: number, exclusivePcpus = true): RunChecker {
    const config = { vcpuCount, countsHalt: true, exclusivePcpus, stealAtStartNs: 0, offersSteal: true };
    const checker = new RunChecker(new Int32Array(16), config);
    checker.begin(0);
    return checker;
  }

  test("sees two vCPUs on one pCPU, where a pCPU belongs to one", () => {
    for (const exclusive of [true, false]) {
      const checker = begunChecker(2, exclusive);
      checker.schedIn(0, 3, 1);
      checker.schedIn(1, 3, 2);
      const seen = exclusive ? ["vCPU 1 was granted pCPU 3 while vCPU 0 had it"] : [];
      assert.deepEqual(checker.violations, seen);
    }
  });

  test("sees nothing wrong in a pCPU that changes hands, and in a vCPU that changes pCPUs", () => {
    const checker = begunChecker(2);
    checker.schedIn(0, 0, 1);
    checker.schedOut(0, OutState.Wait, 2);
    checker.schedIn(1, 0, 2);
    checker.schedIn(0, 1, 3);
    checker.schedOut(1, OutState.Halt, 4);
    checker.woken(1, 5);
    checker.schedIn(1, 0, 6);
    assert.deepEqual(checker.violations, []);
  });

  test("sees a vCPU granted twice, leaving twice, and woken while awake", () => {
    const checker = begunChecker(1);
    checker.schedOut(0, OutState.Wait, 1);
    checker.woken(0, 2);
    checker.schedIn(0, 0, 3);
    checker.schedIn(0, 1, 4);
    checker.woken(0, 5);
    assert.deepEqual(checker.violations, [
      "vCPU 0 left a pCPU that it did not have",
      "vCPU 0 was woken while awake",
      "vCPU 0 was granted a second pCPU",
      "vCPU 0 was woken while awake",
    ]);
  });

  test("keeps only the first few of very many violations", () => {
    const checker = begunChecker(1);
    for (let now = 0; now < 1_000; now++) checker.woken(0, now);
    assert.equal(checker.violations.length, 10);
  });
});

describe("the log of what was published", () => {
  const BASE = 64;

  test("knows the steal of every version, also of those between two changes", () => {
    const log = new StealLog(0, 1);
    log.start(BASE, 0, 100);
    for (const [version, publishable] of [
      [2, 100],
      [4, 100],
      [6, 130],
      [8, 130],
      [10, 190],
    ]) {
      log.add(version, publishable, true);
    }
    assert.deepEqual(
      [2, 4, 6, 8, 10].map((version) => log.stealAt(version, BASE)),
      [0, 0, 30, 30, 90],
    );
    assert.deepEqual([log.updates, log.lastVersion, log.lastStealNs, log.expectedVersion], [5, 10, 90, 10]);
  });

  test("expects a page found odd to be closed by its first update", () => {
    for (const [found, expected] of [
      [0, 4],
      [1, 6],
      [7, 12],
      [0x7fff_fffe, -0x7fff_fffe],
      [-1, 4],
    ]) {
      const log = new StealLog(0, 1);
      log.start(BASE, found, 0);
      log.add(0, 0, true);
      log.add(0, 0, true);
      assert.equal(log.expectedVersion, expected, `found ${found}`);
    }
  });

  test("keeps pages apart: a page at another address has versions of its own", () => {
    const log = new StealLog(0, 1);
    const OTHER = BASE + 64;
    log.start(BASE, 0, 0);
    for (const [version, publishable] of [
      [2, 0],
      [4, 10],
      [6, 20],
    ]) {
      log.add(version, publishable, true);
    }
    log.start(OTHER, 0, 20);
    log.add(2, 20, true);
    log.add(4, 30, true);
    assert.deepEqual(
      [2, 4, 6].map((version) => log.stealAt(version, BASE)),
      [0, 10, 20],
    );
    assert.deepEqual(
      [2, 4].map((version) => log.stealAt(version, OTHER)),
      [20, 30],
    );
  });

  test("knows what a guest can take of it, in the unit of its field and from where the field began", () => {
    const log = new StealLog(NS_PER_MS - 1, 1);
    log.start(BASE, 0, 5);
    log.add(2, 5, true);
    assert.deepEqual([log.takeableNs(1), log.takeableNs(NS_PER_MS)], [0, 0]);
    log.add(4, 6, true);
    assert.deepEqual([log.takeableNs(1), log.takeableNs(NS_PER_MS)], [1, NS_PER_MS]);
    log.add(6, 5 + 2 * NS_PER_MS, true);
    assert.deepEqual([log.takeableNs(1), log.takeableNs(NS_PER_MS)], [2 * NS_PER_MS, 2 * NS_PER_MS]);
  });

  test("finds versions across their wrap", () => {
    const log = new StealLog(0, 1);
    log.start(BASE, 0x7fff_fffc, 0);
    log.add(0x7fff_fffe, 10, true);
    log.add(-0x8000_0000, 20, true);
    log.add(-0x7fff_fffe, 30, true);
    assert.deepEqual(
      [0x7fff_fffe, -0x8000_0000, -0x7fff_fffe].map((version) => log.stealAt(version, BASE)),
      [10, 20, 30],
    );
  });

  test("after very many changes knows the first and the latest, and says when it does not know", () => {
    const log = new StealLog(0, 1);
    log.start(BASE, 0, 0);
    for (let update = 1; update <= 20_000; update++) log.add(2 * update, 7 * update, true);
    assert.equal(log.stealAt(2, BASE), 7);
    assert.equal(log.stealAt(4, BASE), null);
    assert.equal(log.stealAt(2 * 19_000, BASE), 7 * 19_000);
    assert.equal(log.stealAt(40_000, BASE), 140_000);
  });

  test("a page that is registered again counts on, and its updates anew", () => {
    const log = new StealLog(0, 1);
    log.start(BASE, 0, 100);
    log.add(2, 150, true);
    log.start(BASE + 64, 20, 200);
    log.add(22, 260, true);
    assert.deepEqual([log.base, log.updates, log.expectedVersion, log.lastStealNs], [BASE + 64, 1, 22, 160]);
  });
});

describe("torn reads", () => {
  const AUDITED = { audited: 100, auditedOverlapped: 4, torn: 0 };

  test("break their invariant, one is enough", () => {
    const { evidence } = finished();
    const vcpus = withVcpu(evidence.vcpus, 1, "reads", { ...AUDITED, torn: 1 });
    assertBroken({ ...evidence, vcpus }, TORN, /^vCPU 1: 1 torn reads$/);
  });

  test("on many vCPUs are counted in full and told in part", () => {
    const { evidence } = finished({ vcpuCount: 5 });
    const vcpus = evidence.vcpus.map((vcpu) => ({ ...vcpu, reads: { ...vcpu.reads, torn: 2 } }));
    assertBroken(
      { ...evidence, vcpus },
      TORN,
      /^vCPU 0: 2 torn reads; vCPU 1: [^;]*; vCPU 2: 2 torn reads \(\+2 more\)$/,
    );
  });

  test("are ruled out only by audited reads that overlapped a write", () => {
    const { evidence } = finished();
    const statusWith = (changes: Partial<VcpuResult["reads"]>) => {
      const vcpus = withVcpu(evidence.vcpus, 0, "reads", changes);
      return checkInvariants({ ...evidence, vcpus }).find(({ name }) => name === TORN)?.status;
    };
    assert.equal(statusWith(AUDITED), "ok");
    assert.equal(statusWith({ ...AUDITED, auditedOverlapped: 0, overlapped: 7 }), "not exercised");
  });

  test("are looked for in every read or said not to be, where all were to be audited", () => {
    const { evidence } = finished();
    const found = (changes: Partial<VcpuResult["reads"]>) => {
      const vcpus = withVcpu(evidence.vcpus, 0, "reads", { ...AUDITED, consistent: 103, ...changes });
      return checkInvariants({ ...evidence, vcpus }).find(({ name }) => name === TORN);
    };
    assert.match(found({})?.detail ?? "", /^100 reads audited, 4 of them overlapped a write$/);
    assert.match(found({ unaudited: 0, consistent: 100 })?.detail ?? "", / a write$/);
    const { status, detail } = found({ unaudited: 3 }) ?? {};
    assert.equal(status, "ok");
    assert.match(detail ?? "", / overlapped a write; 3 reads unaudited: their page was written 64 times since$/);
    const lost = found({ unaudited: 2 });
    assert.deepEqual([lost?.status, lost?.detail], ["broken", "vCPU 0: 100 audited and 2 unaudited reads of 103"]);
  });
});

describe("versions", () => {
  const versionOff = (by: number): Evidence => {
    const { evidence, machine } = finished();
    Atomics.add(machine.ram, machine.host.publisher.pageOf(1).base, by);
    return evidence;
  };

  test("that are odd break their invariant", () => {
    assertBroken(versionOff(1), VERSIONS, /^vCPU 1: version \d*[13579] is odd$/);
  });

  test("that are off by two, one update lost or invented, break it", () => {
    for (const by of [2, -2]) assertBroken(versionOff(by), VERSIONS, /^vCPU 1: version (\d+), expected \d+$/);
  });
});

describe("clocks", () => {
  test("one guarded step back is one too many", () => {
    const { evidence } = finished();
    const vcpus = withVcpu(evidence.vcpus, 2, "clock", { backwardSteps: 1 });
    assertBroken({ ...evidence, vcpus }, CLOCKS, /^vCPU 2: 1 guarded steps back$/);
  });

  // 1 ns, a cycle of 1 ns for each of the two, rounded up, and 300 ms / 2^31.
  test("raw steps back are allowed as far as the arithmetic explains them, and no further", () => {
    const { evidence } = finished({ tscKhz: 2_600_000 });
    const withRaw = (maxRawBackwardNs: number): Evidence => {
      const vcpus = withVcpu(evidence.vcpus, 0, "clock", { rawBackwardSteps: 9, maxRawBackwardNs });
      return { ...evidence, vcpus };
    };
    assert.deepEqual(byStatus(checkInvariants(withRaw(4)), "broken"), []);
    assertBroken(withRaw(5), CLOCKS, /^vCPU 0: a raw step back of 5 ns, the arithmetic explains 4$/);
    // A slow TSC has long cycles.
    assert.deepEqual(byStatus(checkInvariants({ ...withRaw(22), slowestTscKhz: 100_000 }), "broken"), []);
    assert.deepEqual(byStatus(checkInvariants({ ...withRaw(23), slowestTscKhz: 100_000 }), "broken"), [CLOCKS]);
  });
});

describe("the page's steal", () => {
  test("off by a ms breaks its invariant", () => {
    for (const by of [1, -1]) {
      const { evidence, machine } = finished();
      Atomics.add(machine.ram, machine.host.publisher.pageOf(0).base + STEAL_MS_WORD, by);
      assertBroken(evidence, PAGE, /^vCPU 0: page says \d+ ms, the ledger said \d+$/);
    }
  });

  test("off by a ns breaks it where there is a ns field, in either half", () => {
    for (const word of [STEAL_NS_WORD, STEAL_NS_WORD + 1]) {
      const { evidence, machine } = finished({ stealUnit: "ns" });
      Atomics.add(machine.ram, machine.host.publisher.pageOf(2).base + word, 1);
      assertBroken(evidence, PAGE, /^vCPU 2: page says \d+ ns, the ledger said \d+$/);
    }
  });

  test("that a host shows without offering it breaks it", () => {
    const { evidence, machine } = finished({ stealFeature: false });
    Atomics.add(machine.ram, machine.host.publisher.pageOf(0).base + STEAL_MS_WORD, 1);
    assertBroken(evidence, PAGE, /^vCPU 0: page says 1 ms, the ledger said 0$/);
  });
});

describe("what the guest took", () => {
  for (const stealUnit of ["ms", "ns"] as const) {
    const unitNs = stealUnit === "ms" ? NS_PER_MS : 1;

    test(`is held against the host's log to the ${stealUnit}, too much or too little`, () => {
      const { evidence } = finished({ stealUnit });
      for (const by of [unitNs, -unitNs]) {
        const [stretch] = evidence.steal[1].stretches;
        const takenNs = stretch.takenNs + by;
        const steal = withSteal(evidence, 1, { takenNs, stretches: [{ ...stretch, takenNs }] });
        const vcpus = withVcpu(evidence.vcpus, 1, "guest", { stealNs: evidence.vcpus[1].guest.stealNs + by });
        // A guest that took too much may be ahead of its host as well: another invariant.
        const log = checkInvariants({ ...evidence, steal, vcpus }).find(({ name }) => name === LOG);
        assert.equal(log?.status, "broken");
        assert.match(log.detail, /^vCPU 1: the guest took \d+ ns in versions 2 to \d+, the host published \d+$/);
      }
    });
  }

  test("is all accounted or dropped: an accounting that loses some, or makes some up, is found", () => {
    const { evidence } = finished();
    for (const part of ["stealNs", "stealDroppedIdleNs"] as const) {
      const vcpus = withVcpu(evidence.vcpus, 1, "guest", { [part]: evidence.vcpus[1].guest[part] - 1 });
      assertBroken({ ...evidence, vcpus }, LOG, /^vCPU 1: accounted and dropped \d+ ns of \d+ taken$/);
    }
  });

  test("is what its stretches say: a sum that leaves some out, or makes some up, is found", () => {
    const { evidence } = finished();
    for (const by of [1, -1]) {
      const steal = withSteal(evidence, 1, { takenNs: evidence.steal[1].takenNs + by });
      const log = checkInvariants({ ...evidence, steal }).find(({ name }) => name === LOG);
      assert.equal(log?.status, "broken");
      assert.match(log.detail, /^vCPU 1: accounted [^;]*; vCPU 1: the guest took \d+ ns, its stretches are \d+$/);
    }
  });

  test("is compared for the versions that it accepted: an update earlier would be another figure", () => {
    const { evidence } = finished();
    const [stretch] = evidence.steal[0].stretches;
    const steal = withSteal(evidence, 0, { stretches: [{ ...stretch, lastVersion: stretch.lastVersion - 2 }] });
    assertBroken(
      { ...evidence, steal },
      LOG,
      /^vCPU 0: the guest took \d+ ns in versions 2 to \d+, the host published/,
    );
  });

  describe("with a break in between, as of a CPU that was offline", () => {
    /** vCPU 0 took what the log says up to its 10th update and from its 20th on; it is told to have taken this much more. */
    function withBreak(firstMoreNs: number, secondMoreNs: number): Evidence {
      const { evidence } = finished({ stealUnit: "ns" });
      const { log } = evidence.checker.witnesses[0];
      const [{ base, firstVersion, lastVersion }] = evidence.steal[0].stretches;
      const tookNs = (from: number, to: number) => (log.stealAt(to, base) ?? 0) - (log.stealAt(from, base) ?? 0);
      const [left, back] = [firstVersion + 20, firstVersion + 40];
      assert.ok(tookNs(left, back) > 0, "something was stolen in the break");
      const stretches = [
        { base, firstVersion, lastVersion: left, takenNs: tookNs(firstVersion, left) + firstMoreNs },
        { base, firstVersion: back, lastVersion, takenNs: tookNs(back, lastVersion) + secondMoreNs },
      ];
      const takenNs = stretches[0].takenNs + stretches[1].takenNs;
      return {
        ...evidence,
        steal: withSteal(evidence, 0, { takenNs, stretches }),
        vcpus: withVcpu(evidence.vcpus, 0, "guest", { stealNs: takenNs }),
      };
    }

    test("is compared for each stretch by itself: what was stolen in the break is nobody's", () => {
      const invariants = checkInvariants(withBreak(0, 0));
      assert.deepEqual(byStatus(invariants, "broken"), []);
      assert.match(invariants.find(({ name }) => name === LOG)?.detail ?? "", /^4 stretches /);
    });

    test("and to the ns in each, too much or too little, also when the sum of both is right", () => {
      for (const [first, second] of [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ]) {
        const which = first === 0 ? "[0-9]{2,}" : "2";
        const wrong = new RegExp(
          `^vCPU 0: the guest took \\d+ ns in versions ${which} to \\d+, the host published \\d+$`,
        );
        assertBroken(withBreak(first, second), LOG, wrong);
      }
      assertBroken(withBreak(1, -1), LOG, /^vCPU 0: [^;]*; vCPU 0: [^;]*$/);
    });
  });
});

/** Assembles a machine's result anew, from what is changed on the way. */
function assembledWith({ machine, result }: Finished, changes: Partial<FinishedRun> = {}): RunResult {
  const { scenario, ram, host, checker, guests } = machine;
  return assembleResult({
    scenario,
    bootNs: 0,
    elapsedNs: result.elapsedNs,
    stoppedEarly: false,
    ram,
    host,
    checker,
    reports: reportsOf(machine),
    noiseNs: guests.map(() => null),
    onCpuNs: guests.map(() => null),
    ...changes,
  });
}

function reportsOf({ scenario, guests }: VirtualMachine): VcpuReport[] {
  const clock = { monitored: 0, rawBackwardSteps: 0, maxRawBackwardNs: 0, backwardSteps: 0 };
  const driver = { clock, cost: { tickNs: null, pageReadNs: null }, noiseMeasured: false };
  return guests.map((guest) => reportOf(guest, scenario.accounting, driver));
}

describe("a guest that is ahead of its host", () => {
  const aheadBy = (ns: number, part: "stealNs" | "stealDroppedIdleNs"): RunResult => {
    const run = finished();
    const guestNs = run.evidence.checker.witnesses[1].log.lastStealNs + ns;
    const figures = { stealNs: 0, stealDroppedIdleNs: 0, [part]: guestNs };
    const reports = reportsOf(run.machine).map((report, id) =>
      id === 1 ? { ...report, guest: { ...report.guest, ...figures } } : report,
    );
    return assembledWith(run, { reports });
  };

  for (const part of ["stealNs", "stealDroppedIdleNs"] as const) {
    test(`by one ns of ${part} makes the run not ok, and is named`, () => {
      const result = aheadBy(1, part);
      assert.equal(result.ok, false);
      const ahead = result.invariants.find(({ name }) => name === AHEAD);
      assert.equal(ahead?.status, "broken");
      assert.match(ahead.detail, /^vCPU 1: guest has \d+ ns, the host published \d+$/);
    });
  }

  test("is not, when it has just what the host published", () => {
    assert.equal(aheadBy(0, "stealNs").invariants.find(({ name }) => name === AHEAD)?.status, "ok");
  });
});

describe("a run says what it did not exercise", () => {
  const notExercised = (changes: ScenarioChanges): string[] => {
    const { result } = finished(changes);
    assert.deepEqual(byStatus(result.invariants, "broken"), []);
    assert.equal(result.ok, true, "not having been exercised is no failure");
    return byStatus(result.invariants, "not exercised");
  };

  test("steal, on a host that does not offer it", () => {
    assert.deepEqual(notExercised({ stealFeature: false }), [TORN, PAGE, LOG, AHEAD]);
  });

  test("what the guest took, when it takes none", () => {
    assert.deepEqual(notExercised({ accounting: "none" }), [TORN, LOG, AHEAD]);
  });

  test("pages, clocks and steal, when no page was registered", () => {
    // Not aligned to 64 bytes: the host refuses it.
    assert.deepEqual(notExercised({ vcpuCount: 1, vcpu: { gpa: 4096 + 32 } }), [
      TORN,
      VERSIONS,
      CLOCKS,
      PAGE,
      LOG,
      AHEAD,
    ]);
  });

  test("clocks, when no reading was monitored", () => {
    const { evidence } = finished();
    const vcpus = evidence.vcpus.map((vcpu) => ({ ...vcpu, clock: { ...vcpu.clock, monitored: 0 } }));
    assert.deepEqual(byStatus(checkInvariants({ ...evidence, vcpus }), "not exercised"), [TORN, CLOCKS]);
  });

  test("and one vCPU with a page is enough", () => {
    const scenario = scenarioOf();
    const vcpus = scenario.vcpus.map((vcpu, id) => ({ ...vcpu, gpa: id === 0 ? 4096 + 32 : null }));
    const result = runVirtually({ ...scenario, vcpus });
    assert.deepEqual(byStatus(result.invariants, "not exercised"), [TORN]);
    assert.match(result.vcpus[0].page.refused ?? "", /not aligned/);
    assert.equal(result.vcpus[0].guest.stealEnabled, false);
    assert.equal(result.vcpus[1].guest.stealEnabled, true);
  });

  test("noise above 5 % of elapsed time is a warning, and breaks nothing", () => {
    const run = finished();
    const scenario: Scenario = { ...run.machine.scenario, engine: "real" };
    assert.deepEqual(assembledWith(run, { scenario, noiseNs: [0, 15 * NS_PER_MS, null] }).warnings, []);
    const noiseNs = [15_300_000, 15 * NS_PER_MS, null];
    // What was asked for in virtual time is no fault of the machine.
    assert.deepEqual(assembledWith(run, { noiseNs }).warnings, []);
    const result = assembledWith(run, { scenario, noiseNs });
    assert.equal(result.ok, true);
    assert.equal(result.warnings.length, 1);
    assert.match(result.warnings[0], /more than 5 % of elapsed time from 1 of 3 vCPUs .*at most 5\.1 %/);
  });
});
