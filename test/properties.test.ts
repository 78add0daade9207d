import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FullChecks } from "../src/engine/check/full-checks.js";
import type { RunResult } from "../src/engine/result.js";
import type { HostTaskConfig, Scenario, VcpuConfig, Workload } from "../src/engine/scenario.js";
import { FullyCheckedMachine } from "../src/engine/virtual/fully-checked-machine.js";
import { NS_PER_MS, NS_PER_US } from "../src/shared/units.js";
import { clearGuestStopped } from "../src/shared/version-protocol.js";
import { type ScenarioChanges, scenarioOf } from "./engine-helpers.js";
import { virtually } from "./virtual-helpers.js";

/**
 * Each property is shown a history that it must object to: mostly that of a machine which runs another scenario than the
 * one that the property was told of. And the same history without the lie, to which it must not.
 */

type Lie = (truth: Scenario) => Scenario;
type Changes = ScenarioChanges & Partial<Pick<Scenario, "vcpus">>;

interface Case {
  readonly property: string;
  readonly shown: string;
  readonly truth: Changes;
  /** What the property believes to be watching. */
  readonly lie: Lie;
}

const HOG_TASK: HostTaskConfig = { workload: { kind: "hog" }, nice: 0, pcpus: null };
const DUTY: Workload = { kind: "duty", busyNs: 3 * NS_PER_MS, periodNs: 10 * NS_PER_MS };
const PLAIN: VcpuConfig = { workload: { kind: "hog" }, nice: 0, pcpus: null, tickPhaseNs: 0, gpa: null };
const SUSPEND = { kind: "suspend", atNs: 50 * NS_PER_MS, forNs: 20 * NS_PER_MS } as const;
const SHORT_WATCHDOG = { mode: "steal-aware", thresholdNs: 20 * NS_PER_MS, periodNs: 5 * NS_PER_MS } as const;

const believe =
  (changes: Partial<Scenario>): Lie =>
  (truth) => ({ ...truth, ...changes });

const believeOfVcpus =
  (changes: Partial<Scenario["vcpus"][number]>): Lie =>
  (truth) => ({ ...truth, vcpus: truth.vcpus.map((vcpu) => ({ ...vcpu, ...changes })) });

const believeOfFirst =
  (changes: Partial<Scenario["vcpus"][number]>): Lie =>
  (truth) => ({ ...truth, vcpus: truth.vcpus.map((vcpu, id) => (id === 0 ? { ...vcpu, ...changes } : vcpu)) });

const CASES: readonly Case[] = [
  {
    property: "vCPUs run where they may, as often as the host says",
    shown: "a vCPU on a pCPU where it may not run",
    truth: { pcpus: 2 },
    lie: believeOfVcpus({ pcpus: [0] }),
  },
  {
    property: "services per weight stay within a slice of each other",
    shown: "two that are served alike though one has more weight",
    truth: {},
    lie: believeOfFirst({ nice: -2 }),
  },
  {
    property: "services per weight stay within a slice of each other",
    shown: "slices four times too long",
    truth: {},
    lie: believe({ sliceNs: NS_PER_MS }),
  },
  {
    property: "services per weight stay within a slice of each other",
    shown: "one that sleeps, and gets more than its weight when it does not",
    truth: { vcpus: [PLAIN, { ...PLAIN, workload: { ...DUTY, busyNs: 6 * NS_PER_MS } }] },
    lie: believeOfFirst({ nice: -10 }),
  },
  {
    property: "nobody waits longer than the competitors' due",
    shown: "a wait of more than the slices of the others",
    truth: { vcpuCount: 4 },
    lie: believe({ sliceNs: NS_PER_MS }),
  },
  {
    property: "no pCPU idles while somebody waits for it",
    shown: "a pCPU that nobody uses because all are pinned to the other one",
    truth: { pcpus: 2, vcpu: { pcpus: [0] } },
    lie: believeOfVcpus({ pcpus: null }),
  },
  {
    property: "no pCPU idles while somebody waits for it",
    shown: "a pCPU that is held by a host task which is not there",
    truth: { hostTasks: [HOG_TASK] },
    lie: believe({ hostTasks: [] }),
  },
  {
    property: "no pCPU idles while somebody waits for it",
    shown: "two pCPUs that are held by the only host task",
    truth: { pcpus: 2, vcpuCount: 3, hostTasks: [HOG_TASK, HOG_TASK] },
    lie: believe({ hostTasks: [HOG_TASK] }),
  },
  {
    property: "no pCPU idles while somebody waits for it",
    shown: "a pCPU that is held by a host task which may not run there",
    truth: { pcpus: 2, vcpuCount: 3, hostTasks: [{ ...HOG_TASK, pcpus: [1] }] },
    lie: believe({ hostTasks: [{ ...HOG_TASK, pcpus: [0] }] }),
  },
  {
    property: "no pCPU idles while somebody waits for it",
    shown: "a host task that uses more than it can",
    truth: { hostTasks: [HOG_TASK] },
    lie: believe({ hostTasks: [{ ...HOG_TASK, workload: DUTY }] }),
  },
  {
    property: "a suspended machine stands still",
    shown: "vCPUs that run while the machine is suspended",
    truth: {},
    lie: believe({ timeline: [SUSPEND] }),
  },
  {
    property: "sleepers are woken when their timers say",
    shown: "one that is woken before its period is over",
    truth: { vcpu: { workload: DUTY } },
    lie: believeOfVcpus({ workload: { ...DUTY, periodNs: 11 * NS_PER_MS } }),
  },
  {
    property: "sleepers are woken when their timers say",
    shown: "one that is woken a period late",
    truth: { vcpu: { workload: DUTY } },
    lie: believeOfVcpus({ workload: { ...DUTY, periodNs: 5 * NS_PER_MS } }),
  },
  {
    property: "sleepers are woken when their timers say",
    shown: "one that halts before its burst is done",
    truth: { vcpu: { workload: DUTY } },
    lie: believeOfVcpus({ workload: { ...DUTY, busyNs: 4 * NS_PER_MS } }),
  },
  {
    property: "sleepers are woken when their timers say",
    shown: "a hog that halts",
    truth: { vcpu: { workload: DUTY } },
    lie: believeOfVcpus({ workload: { kind: "hog" } }),
  },
  {
    property: "every page write is due, whole and true",
    shown: "halted time in a page that should tell of waits",
    truth: { vcpu: { workload: DUTY } },
    lie: believe({ measure: "wait" }),
  },
  {
    property: "every page write is due, whole and true",
    shown: "pages that are not written at every entry",
    truth: { update: { kind: "pcpu-change" } },
    lie: believe({ update: { kind: "entry" } }),
  },
  {
    property: "every page write is due, whole and true",
    shown: "pages that are written though the pCPU did not change",
    truth: {},
    lie: believe({ update: { kind: "pcpu-change" } }),
  },
  {
    property: "every page write is due, whole and true",
    shown: "pages that are not refreshed",
    truth: {},
    lie: believe({ update: { kind: "periodic", periodNs: NS_PER_MS } }),
  },
  {
    property: "every page write is due, whole and true",
    shown: "the stamp and the rate of another TSC",
    truth: {},
    lie: believe({ tscKhz: 2_600_001 }),
  },
  {
    property: "every page write is due, whole and true",
    shown: "steal from a host that has none to tell",
    truth: {},
    lie: believe({ stealFeature: false }),
  },
  {
    property: "the host writes nothing but the pages",
    shown: "memory that was written over",
    truth: {},
    lie: believe({ pageMemory: "junk" }),
  },
  {
    property: "ticks and lost ticks are the deadlines that passed",
    shown: "one tick in four",
    truth: {},
    lie: believe({ hz: 1000 }),
  },
  {
    property: "guest counters follow from ticks and page",
    shown: "counters of another era",
    truth: { sliceNs: NS_PER_MS },
    lie: believe({ accounting: "mainline" }),
  },
  {
    property: "guest counters follow from ticks and page",
    shown: "user time of a kernel task",
    truth: {},
    lie: believeOfVcpus({ workload: { kind: "kernel" } }),
  },
  {
    property: "the watchdog reports who is stuck and nobody else",
    shown: "a report of a task that lets the watchdog's run",
    truth: { watchdog: SHORT_WATCHDOG, vcpu: { workload: { kind: "stuck" } } },
    lie: believeOfVcpus({ workload: { kind: "kernel" } }),
  },
  {
    property: "the watchdog reports who is stuck and nobody else",
    shown: "a report before the threshold",
    truth: { watchdog: SHORT_WATCHDOG, vcpu: { workload: { kind: "stuck" } } },
    lie: believe({ watchdog: { ...SHORT_WATCHDOG, thresholdNs: 30 * NS_PER_MS } }),
  },
  {
    property: "the watchdog reports who is stuck and nobody else",
    shown: "a stuck task that is not reported",
    truth: { watchdog: SHORT_WATCHDOG, vcpu: { workload: { kind: "kernel" } } },
    lie: believeOfVcpus({ workload: { kind: "stuck" } }),
  },
  {
    property: "a stopped guest is told so",
    shown: "GUEST_STOPPED in a machine that never was",
    truth: { timeline: [SUSPEND] },
    lie: believe({ timeline: [] }),
  },
];

/** @returns the properties that object */
function objections(truth: Scenario, checksOf: (ram: Int32Array) => FullChecks): string[] {
  const checked = new FullyCheckedMachine(truth, { checksOf });
  checked.machine.run(truth.durationNs);
  checked.finish();
  return checked.properties.filter(({ problems }) => problems.length > 0).map(({ name }) => name);
}

describe("a property objects to a history that breaks it, and not to one that does not", () => {
  for (const { property, shown, truth, lie } of CASES) {
    test(`${property}: ${shown}`, () => {
      const { vcpus, ...changes } = truth;
      const plain = virtually(scenarioOf(changes));
      const scenario = { ...plain, vcpus: vcpus ?? plain.vcpus };
      assert.deepEqual(
        objections(scenario, (ram) => new FullChecks(scenario, ram)),
        [],
      );
      const named = objections(scenario, (ram) => new FullChecks(lie(scenario), ram));
      assert.ok(named.includes(property), `named were: ${named.join(", ")}`);
    });
  }
});

describe("what no other scenario would show", () => {
  test("a clock that is late", () => {
    class LateClock extends FullChecks {
      override told(...[vcpu, guest, now]: Parameters<FullChecks["told"]>): void {
        super.told(vcpu, guest, now + NS_PER_US);
      }
    }
    const scenario = virtually(scenarioOf());
    assert.ok(objections(scenario, (ram) => new LateClock(scenario, ram)).includes("guest clocks tell the time"));
  });

  test("a guest that is not told that it was stopped", () => {
    class StopHidden extends FullChecks {
      readonly #ram: Int32Array;
      readonly #bases: number[] = [];

      constructor(scenario: Scenario, ram: Int32Array) {
        super(scenario, ram);
        this.#ram = ram;
      }

      override registered(vcpu: number, base: number): void {
        this.#bases[vcpu] = base;
        super.registered(vcpu, base);
      }

      override schedIn(vcpu: number, pcpu: number, now: number): void {
        clearGuestStopped(this.#ram, this.#bases[vcpu]);
        super.schedIn(vcpu, pcpu, now);
      }
    }
    const scenario = virtually(scenarioOf({ timeline: [SUSPEND] }));
    assert.ok(objections(scenario, (ram) => new StopHidden(scenario, ram)).includes("a stopped guest is told so"));
  });

  test("a page that is written after it was given back", () => {
    class WrittenBehind extends FullChecks {
      readonly #ram: Int32Array;
      #base = -1;

      constructor(scenario: Scenario, ram: Int32Array) {
        super(scenario, ram);
        this.#ram = ram;
      }

      override registered(vcpu: number, base: number): void {
        this.#base = base;
        super.registered(vcpu, base);
      }

      override unregistered(vcpu: number): void {
        super.unregistered(vcpu);
        Atomics.add(this.#ram, this.#base, 2);
      }
    }
    const timeline = [{ kind: "offline", atNs: 50 * NS_PER_MS, forNs: 20 * NS_PER_MS, vcpu: 0 }] as const;
    const scenario = virtually(scenarioOf({ vcpuCount: 1, timeline }));
    const named = objections(scenario, (ram) => new WrittenBehind(scenario, ram));
    assert.ok(named.includes("every page write is due, whole and true"), named.join());
  });

  test("a host that miscounts entries, or forgets the longest wait", () => {
    const scenario = virtually(scenarioOf());
    const miscounted = (changes: (host: RunResult["vcpus"][number]["host"]) => object) => (result: RunResult) => ({
      ...result,
      vcpus: result.vcpus.map((vcpu) => ({ ...vcpu, host: { ...vcpu.host, ...changes(vcpu.host) } })),
    });
    for (const change of [
      miscounted(({ entries }) => ({ entries: entries + 1 })),
      miscounted(({ wait }) => ({ wait: { ...wait, maxNs: wait.maxNs - 1 } })),
    ]) {
      class Miscounted extends FullChecks {
        override finished(result: RunResult): void {
          super.finished(change(result));
        }
      }
      const named = objections(scenario, (ram) => new Miscounted(scenario, ram));
      assert.deepEqual(named, ["vCPUs run where they may, as often as the host says"]);
    }
  });
});
