import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CpuMode, CpuTime } from "../src/guest/accounting/cpu-time.js";
import { MainlineAccounting } from "../src/guest/accounting/mainline.js";
import { NoStealAccounting } from "../src/guest/accounting/none.js";
import { RfcV2Accounting } from "../src/guest/accounting/rfc-v2.js";
import type { StealSource, TickAccounting } from "../src/guest/accounting/tick-accounting.js";
import { NS_PER_MS, type Ns } from "../src/shared/units.js";

/** HZ 250. */
const TICK_NS = 4 * NS_PER_MS;
const MODES = [
  ["user", CpuMode.User],
  ["system", CpuMode.System],
  ["idle", CpuMode.Idle],
] as const;
const NOTHING = { userNs: 0, systemNs: 0, idleNs: 0, stealNs: 0, stealDroppedIdleNs: 0 };

/** What the page says was stolen and nobody has taken yet. */
class PendingSteal implements StealSource {
  pendingNs: Ns = 0;

  takeNs(): Ns {
    const takenNs = this.pendingNs;
    this.pendingNs = 0;
    return takenNs;
  }
}

type Rule = (time: CpuTime, steal: StealSource) => TickAccounting;
const NONE: Rule = (time) => new NoStealAccounting(time, TICK_NS);
const RFC_V2: Rule = (time, steal) => new RfcV2Accounting(time, steal, TICK_NS);
const MAINLINE: Rule = (time, steal) => new MainlineAccounting(time, steal, TICK_NS);
const RULES: readonly (readonly [string, Rule])[] = [
  ["none", NONE],
  ["rfc-v2", RFC_V2],
  ["mainline", MAINLINE],
];

class Bench {
  readonly time = new CpuTime();
  readonly steal = new PendingSteal();
  readonly rule: TickAccounting;

  constructor(rule: Rule) {
    this.rule = rule(this.time, this.steal);
  }

  /** One tick that finds so much new steal. */
  tick(mode: CpuMode, stealNs: Ns = 0): this {
    this.steal.pendingNs += stealNs;
    this.rule.accountProcessTick(mode);
    return this;
  }

  idleExit(ticks: number, stealNs: Ns = 0): this {
    this.steal.pendingNs += stealNs;
    this.rule.accountIdleExit(ticks);
    return this;
  }

  /** Everything booked so far, and nothing else. */
  assertBooked(expected: Partial<typeof NOTHING>): this {
    assert.deepEqual(this.time.figures(), { ...NOTHING, ...expected });
    return this;
  }
}

for (const [name, rule] of RULES) {
  describe(`${name}, without new steal`, () => {
    test("a tick goes whole to what it interrupted", () => {
      const bench = new Bench(rule);
      bench.tick(CpuMode.User).assertBooked({ userNs: TICK_NS });
      bench.tick(CpuMode.System).assertBooked({ userNs: TICK_NS, systemNs: TICK_NS });
      bench.tick(CpuMode.Idle).assertBooked({ userNs: TICK_NS, systemNs: TICK_NS, idleNs: TICK_NS });
    });

    test("idle exit books the ticks that passed as idle, and may find none", () => {
      const bench = new Bench(rule);
      bench.idleExit(0).assertBooked({});
      bench.idleExit(7).assertBooked({ idleNs: 7 * TICK_NS });
    });
  });
}

describe("none", () => {
  test("steal is neither looked at nor taken, in any tick or on idle exit", () => {
    const bench = new Bench(NONE);
    bench
      .tick(CpuMode.User, 3 * TICK_NS)
      .tick(CpuMode.System)
      .tick(CpuMode.Idle)
      .idleExit(2);
    bench.assertBooked({ userNs: TICK_NS, systemNs: TICK_NS, idleNs: 3 * TICK_NS });
    assert.equal(bench.steal.pendingNs, 3 * TICK_NS);
  });
});

describe("rfc-v2", () => {
  for (const [modeName, mode] of MODES.slice(0, 2)) {
    test(`a ${modeName} tick that finds any new steal books that steal alone`, () => {
      // 1 ns, less than a tick, just one, many: the tick's own time is dropped whatever part of it was stolen.
      for (const stealNs of [1, NS_PER_MS, TICK_NS, 25 * TICK_NS]) {
        new Bench(RFC_V2).tick(mode, stealNs).assertBooked({ stealNs });
      }
    });

    test(`the next ${modeName} tick is whole again`, () => {
      const bench = new Bench(RFC_V2).tick(mode, NS_PER_MS).tick(mode);
      const booked = mode === CpuMode.User ? { userNs: TICK_NS } : { systemNs: TICK_NS };
      bench.assertBooked({ stealNs: NS_PER_MS, ...booked });
    });
  }

  test("an idle tick takes what is new and drops it: the tick after it finds none", () => {
    const bench = new Bench(RFC_V2).tick(CpuMode.Idle, 9 * TICK_NS);
    bench.assertBooked({ idleNs: TICK_NS, stealDroppedIdleNs: 9 * TICK_NS });
    bench.tick(CpuMode.User).assertBooked({ idleNs: TICK_NS, stealDroppedIdleNs: 9 * TICK_NS, userNs: TICK_NS });
  });

  test("idle exit takes and drops too, also when no tick had passed", () => {
    const bench = new Bench(RFC_V2).idleExit(0, NS_PER_MS).assertBooked({ stealDroppedIdleNs: NS_PER_MS });
    bench.tick(CpuMode.User).assertBooked({ stealDroppedIdleNs: NS_PER_MS, userNs: TICK_NS });
  });

  test("idle exit after n ticks books n ticks of idle, however much it dropped", () => {
    new Bench(RFC_V2).idleExit(5, 50 * TICK_NS).assertBooked({ idleNs: 5 * TICK_NS, stealDroppedIdleNs: 50 * TICK_NS });
  });
});

describe("mainline", () => {
  for (const [modeName, mode] of MODES) {
    const booked = (ns: Ns) => [{ userNs: ns }, { systemNs: ns }, { idleNs: ns }][mode];

    test(`steal shorter than a tick leaves the rest of a ${modeName} tick to it`, () => {
      for (const stealNs of [1, NS_PER_MS, TICK_NS - 1]) {
        new Bench(MAINLINE).tick(mode, stealNs).assertBooked({ stealNs, ...booked(TICK_NS - stealNs) });
      }
    });

    test(`steal of a tick or more is all that a ${modeName} tick books`, () => {
      for (const stealNs of [TICK_NS, TICK_NS + 1, 25 * TICK_NS]) {
        new Bench(MAINLINE).tick(mode, stealNs).assertBooked({ stealNs });
      }
    });
  }

  test("a gap is booked by the first tick after it: no backlog is left to eat up later ones", () => {
    // Capped to the tick, as in a release candidate of 4.8, 250 ticks would show 100 % steal here.
    const bench = new Bench(MAINLINE).tick(CpuMode.User, 250 * TICK_NS).assertBooked({ stealNs: 250 * TICK_NS });
    assert.equal(bench.steal.pendingNs, 0);
    bench.tick(CpuMode.User).assertBooked({ stealNs: 250 * TICK_NS, userNs: TICK_NS });
  });

  test("four hogs in turns of three ticks out and one in show 75 %, after a long gap too", () => {
    const bench = new Bench(MAINLINE).tick(CpuMode.User, 1_000 * TICK_NS);
    for (let turn = 0; turn < 100; turn++) bench.tick(CpuMode.User, 3 * TICK_NS).tick(CpuMode.User);
    bench.assertBooked({ stealNs: (1_000 + 3 * 100) * TICK_NS, userNs: 100 * TICK_NS });
  });

  test("idle exit books its ticks less the steal; steal beyond them leaves no idle", () => {
    new Bench(MAINLINE).idleExit(5, NS_PER_MS).assertBooked({ idleNs: 5 * TICK_NS - NS_PER_MS, stealNs: NS_PER_MS });
    new Bench(MAINLINE).idleExit(5, 5 * TICK_NS).assertBooked({ stealNs: 5 * TICK_NS });
    new Bench(MAINLINE).idleExit(5, 6 * TICK_NS).assertBooked({ stealNs: 6 * TICK_NS });
  });

  test("idle exit with no whole tick leaves the steal to the tick that follows", () => {
    const bench = new Bench(MAINLINE).idleExit(0, NS_PER_MS).assertBooked({});
    assert.equal(bench.steal.pendingNs, NS_PER_MS);
    bench.tick(CpuMode.User).assertBooked({ stealNs: NS_PER_MS, userNs: TICK_NS - NS_PER_MS });
  });
});

/** What happens to a CPU: a tick or an idle exit, and the steal that it finds. */
const arbEvent = fc.record({
  mode: fc.constantFrom(CpuMode.User, CpuMode.System, CpuMode.Idle),
  idleTicks: fc.option(fc.nat(20), { nil: null }),
  stealNs: fc.oneof(fc.constant(0), fc.nat(TICK_NS), fc.nat(30 * TICK_NS)),
});

for (const [name, rule] of RULES) {
  test(`${name}: no counter ever goes back, and no steal is booked that was not there or is booked twice`, () => {
    fc.assert(
      fc.property(fc.array(arbEvent), (events) => {
        const bench = new Bench(rule);
        let stolenNs = 0;
        for (const { mode, idleTicks, stealNs } of events) {
          const before = bench.time.figures();
          stolenNs += stealNs;
          if (idleTicks === null) bench.tick(mode, stealNs);
          else bench.idleExit(idleTicks, stealNs);
          const { userNs, systemNs, idleNs, stealNs: bookedNs, stealDroppedIdleNs } = bench.time;
          assert.ok(userNs >= before.userNs && systemNs >= before.systemNs && idleNs >= before.idleNs);
          assert.equal(bookedNs + stealDroppedIdleNs + bench.steal.pendingNs, stolenNs);
        }
      }),
    );
  });
}
