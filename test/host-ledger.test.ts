import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Ledger, LedgerState, type VcpuLedger } from "../src/host/ledger.js";
import { OutState } from "../src/host/sched-notifier.js";
import { NS_PER_MS, NS_PER_SECOND, type Ns } from "../src/shared/units.js";

const RUNS = { seed: 20100830, numRuns: 500 };
const VCPUS = 3;
const PCPUS = 3;
const STATES = [LedgerState.Run, LedgerState.Wait, LedgerState.Halt, LedgerState.Offline] as const;

/** Something that happens to one vCPU, whatever its state allows. */
interface Event {
  readonly vcpu: number;
  readonly passNs: Ns;
  readonly out: OutState;
  readonly pcpu: number;
}

const anyEvents = fc.array(
  fc.record<Event>({
    vcpu: fc.nat(VCPUS - 1),
    passNs: fc.oneof(fc.constant(0), fc.nat(NS_PER_MS), fc.nat(100 * NS_PER_SECOND)),
    out: fc.constantFrom(OutState.Wait, OutState.Halt, OutState.Offline),
    pcpu: fc.nat(PCPUS - 1),
  }),
  { maxLength: 80 },
);

/** What a vCPU did, kept the long way: every span of it, in order. */
class Diary {
  readonly spans: { readonly state: LedgerState; readonly fromNs: Ns; toNs: Ns }[] = [];
  readonly pcpus: number[] = [];

  constructor(startNs: Ns) {
    this.spans.push({ state: LedgerState.Wait, fromNs: startNs, toNs: startNs });
  }

  get state(): LedgerState {
    return this.spans[this.spans.length - 1].state;
  }

  change(state: LedgerState, now: Ns): void {
    this.spans[this.spans.length - 1].toNs = now;
    this.spans.push({ state, fromNs: now, toNs: now });
  }

  totalNs(wanted: LedgerState, now: Ns): Ns {
    this.spans[this.spans.length - 1].toNs = now;
    return this.spans
      .filter(({ state }) => state === wanted)
      .reduce((totalNs, { fromNs, toNs }) => totalNs + toNs - fromNs, 0);
  }

  get waitsNs(): Ns[] {
    return this.spans.filter(({ state }) => state === LedgerState.Wait).map(({ fromNs, toNs }) => toNs - fromNs);
  }
}

function tell(ledger: Ledger, diary: Diary, { vcpu, out, pcpu }: Event, now: Ns): void {
  switch (diary.state) {
    case LedgerState.Run:
      ledger.schedOut(vcpu, out, now);
      diary.change(out, now);
      return;
    case LedgerState.Wait:
      ledger.schedIn(vcpu, pcpu, now);
      diary.change(LedgerState.Run, now);
      diary.pcpus.push(pcpu);
      return;
    default:
      ledger.woken(vcpu, now);
      diary.change(LedgerState.Wait, now);
  }
}

function sumNs({ runNs, waitNs, haltNs, offlineNs }: VcpuLedger): Ns {
  return runNs + waitNs + haltNs + offlineNs;
}

describe("the ledger, whatever happens", () => {
  test("at every instant all states add up to elapsed time, and each is what was told", () => {
    fc.assert(
      fc.property(fc.nat(NS_PER_SECOND), anyEvents, fc.nat(NS_PER_SECOND), (startNs, events, lastNs) => {
        const ledger = new Ledger(VCPUS);
        const diaries = ledger.vcpus.map(() => new Diary(startNs));
        let now = startNs;
        ledger.begin(now);
        for (const event of events) {
          now += event.passNs;
          tell(ledger, diaries[event.vcpu], event, now);
          ledger.vcpus.forEach((account, vcpu) => {
            const totalsNs = STATES.map((state) => account.totalNs(state, now));
            assert.deepEqual(
              totalsNs,
              STATES.map((state) => diaries[vcpu].totalNs(state, now)),
            );
            assert.equal(
              totalsNs.reduce((a, b) => a + b),
              now - startNs,
            );
            // The xen_shinfo test's form of it: the present state was entered when all others add up to.
            assert.equal(sumNs(account), account.sinceNs - startNs);
          });
        }
        now += lastNs;
        ledger.close(now);
        ledger.vcpus.forEach((account, vcpu) => {
          assert.equal(sumNs(account), now - startNs);
          assert.equal(account.runNs, diaries[vcpu].totalNs(LedgerState.Run, now));
          assert.equal(account.outOfGuestNs, now - startNs - account.runNs);
        });
      }),
      RUNS,
    );
  });

  test("entries and migrations are counted, and every wait is in the histogram", () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const ledger = new Ledger(VCPUS);
        const diaries = ledger.vcpus.map(() => new Diary(0));
        let now = 0;
        ledger.begin(now);
        for (const event of events) {
          now += event.passNs;
          tell(ledger, diaries[event.vcpu], event, now);
        }
        ledger.close(now);
        ledger.vcpus.forEach((account, vcpu) => {
          const { pcpus } = diaries[vcpu];
          diaries[vcpu].totalNs(LedgerState.Wait, now);
          assert.equal(account.entries, pcpus.length);
          assert.equal(
            account.migrations,
            pcpus.filter((pcpu, entry) => entry > 0 && pcpu !== pcpus[entry - 1]).length,
          );
          assert.equal(account.maxWaitNs, Math.max(...diaries[vcpu].waitsNs));
        });
      }),
      RUNS,
    );
  });
});

describe("one vCPU's account", () => {
  /** Waits 3 ms, runs 2, halts 5, waits 1, runs on pCPU 1 from 11 ms. */
  function someLife(): { ledger: Ledger; account: VcpuLedger } {
    const ledger = new Ledger(1);
    ledger.begin(0);
    ledger.schedIn(0, 0, 3 * NS_PER_MS);
    ledger.schedOut(0, OutState.Halt, 5 * NS_PER_MS);
    ledger.woken(0, 10 * NS_PER_MS);
    ledger.schedIn(0, 1, 11 * NS_PER_MS);
    return { ledger, account: ledger.vcpus[0] };
  }

  test("time out of guest is all time but run", () => {
    const { ledger, account } = someLife();
    ledger.schedOut(0, OutState.Offline, 12 * NS_PER_MS);
    ledger.close(20 * NS_PER_MS);
    const { runNs, waitNs, haltNs, offlineNs, outOfGuestNs } = account;
    assert.deepEqual(
      [runNs, waitNs, haltNs, offlineNs, outOfGuestNs].map((ns) => ns / NS_PER_MS),
      [3, 4, 5, 8, 17],
    );
  });

  test("the first entry is no migration, one on another pCPU is", () => {
    const { account } = someLife();
    assert.deepEqual([account.entries, account.migrations], [2, 1]);
  });

  test("a wait in progress when the run ends is recorded as long as it lasted", () => {
    const { ledger, account } = someLife();
    ledger.schedOut(0, OutState.Wait, 12 * NS_PER_MS);
    ledger.close(40 * NS_PER_MS);
    assert.equal(account.maxWaitNs, 28 * NS_PER_MS);
    assert.equal(account.waitNs, 32 * NS_PER_MS);
  });

  test("only waits are recorded: time halted, offline or in the guest is none", () => {
    const { ledger, account } = someLife();
    ledger.schedOut(0, OutState.Offline, 100 * NS_PER_MS);
    ledger.close(1_000 * NS_PER_MS);
    assert.equal(account.maxWaitNs, 3 * NS_PER_MS);
  });

  test("a total between two changes includes the state in progress, and no other does", () => {
    const { account } = someLife();
    assert.deepEqual(
      STATES.map((state) => account.totalNs(state, 15 * NS_PER_MS) / NS_PER_MS),
      [6, 4, 5, 0],
    );
    assert.equal(account.runNs, 2 * NS_PER_MS, "booked only when the state changes");
  });

  test("a wait that is known late moves out of run, and the sum stays", () => {
    const { ledger, account } = someLife();
    ledger.close(21 * NS_PER_MS);
    account.state = LedgerState.Run;
    account.bookWait(7 * NS_PER_MS, 21 * NS_PER_MS);
    assert.deepEqual(
      [account.runNs, account.waitNs, sumNs(account)].map((ns) => ns / NS_PER_MS),
      [5, 11, 21],
    );
    assert.equal(account.maxWaitNs, 7 * NS_PER_MS);
  });
});
