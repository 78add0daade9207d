import type { AccountingName, Hz } from "../../src/engine/scenario.js";
import { NS_PER_MS, NS_PER_SECOND } from "../../src/shared/units.js";
import { type ApartRow, plansApart } from "../apart/apart.js";
import type { PageEngine } from "../apart/tasks.js";
import { growthPerDoubling } from "../harness/statistics.js";
import type { DerivedRow, Effort, Group, TrialPlan } from "../harness/trial.js";
import type { Policy } from "./publish-loop.js";

/** Of a full run, in each of its processes. */
const MOST_ROUNDS = 3;
const ACCOUNTINGS: readonly AccountingName[] = ["none", "rfc-v2", "mainline"];
const POLICIES: readonly Policy[] = ["entry", "steal-entry", "pcpu-change", "periodic"];
const FREQUENCIES: readonly Hz[] = [100, 250, 1000];
/** A sample of a hog holds several ticks, also at the lowest frequency. */
const HOG_EFFORT: Partial<Effort> = { batchNs: 40 * NS_PER_MS, samplesPerRound: 1 };
/** Only the highest frequency is measured then. */
const QUICK_HOG_EFFORT: Partial<Effort> = { batchNs: 15 * NS_PER_MS, samplesPerRound: 1 };

/** What accounting costs a guest and publishing a host, as the engines do it. */
export function endToEndGroup(): Group {
  const plans = new Map<Effort, TrialPlan[]>();
  return {
    name: "end-to-end",
    rounds: ({ rounds, quick }) => (quick ? rounds : Math.min(rounds, MOST_ROUNDS)),
    plans: (effort) => {
      const known = plans.get(effort) ?? plansOf(effort);
      plans.set(effort, known);
      return known;
    },
    derived: (effort) => [...loadRows(), ...growthRows(effort)],
  };
}

function plansOf(effort: Effort): TrialPlan[] {
  const hogEffort = effort.quick ? QUICK_HOG_EFFORT : HOG_EFFORT;
  return [
    ...ACCOUNTINGS.flatMap((accounting) =>
      plansApart(
        "real",
        FREQUENCIES.map((hz) => tickRow(accounting, hz)),
      ),
    ),
    ...plansApart("real", [hogRow(null, 1000)], hogEffort),
    ...ACCOUNTINGS.flatMap((accounting) => {
      const frequencies = effort.quick ? [1000 as const] : FREQUENCIES;
      return plansApart(
        "real",
        frequencies.map((hz) => hogRow(accounting, hz)),
        hogEffort,
      );
    }),
    ...plansApart("virtual", sizesOf("virtual", effort).map(entryRow)),
    ...(effort.quick ? [] : plansApart("virtual", [atomicsEntryRow(1_000)])),
    ...(["virtual", "real"] as const).flatMap((engine) =>
      POLICIES.flatMap((policy) => {
        const sizes = sizesOf(engine, effort);
        return plansApart(
          engine,
          sizes.map((vcpus) => publishRow(engine, policy, vcpus)),
        );
      }),
    ),
  ];
}

/** Numbers of vCPUs. */
function sizesOf(engine: PageEngine, { quick }: Effort): readonly number[] {
  if (engine === "virtual") return quick ? [1, 1_000] : [1, 10, 100, 1_000, 10_000];
  return quick ? [1, 256] : [1, 4, 16, 64, 256];
}

function tickRow(accounting: AccountingName, hz: Hz): ApartRow {
  const ratioTo = accounting === "none" ? null : tickName("none", hz);
  return { spec: { name: tickName(accounting, hz), unit: "ns/tick", ratioTo }, task: { kind: "tick", accounting, hz } };
}

function tickName(accounting: AccountingName, hz: Hz): string {
  return `tick.${accounting}.hz-${hz}`;
}

/** What all ticks of a second cost. */
function loadRows(): DerivedRow[] {
  return ACCOUNTINGS.flatMap((accounting) =>
    FREQUENCIES.map((hz) => ({
      name: `tick-load.${accounting}.hz-${hz}`,
      unit: "ns/s of guest",
      ratioTo: accounting === "none" ? null : `tick-load.none.hz-${hz}`,
      from: [tickName(accounting, hz)],
      derive: ([nsPerTick]) => nsPerTick * hz,
    })),
  );
}

const HOG_ALONE = "hog-work.no-tick";

function hogRow(accounting: AccountingName | null, hz: Hz): ApartRow {
  const name = accounting === null ? HOG_ALONE : `hog-work.${accounting}.hz-${hz}`;
  return {
    spec: { name, unit: "work/s", ratioTo: accounting === null ? null : HOG_ALONE },
    task: { kind: "hog", accounting, hz },
    show: (nsPerUnit) => NS_PER_SECOND / nsPerUnit,
  };
}

function entryRow(vcpus: number): ApartRow {
  const ratioTo = vcpus === 1 ? null : "entry.virtual.1";
  const spec = { name: `entry.virtual.${vcpus}`, unit: "ns/entry", ratioTo };
  return { spec, task: { kind: "entry", backend: "wasm", vcpus } };
}

/** The other backend; in the virtual engine with plain accesses in place of Atomics. */
function atomicsEntryRow(vcpus: number): ApartRow {
  const spec = { name: `entry-atomics.virtual.${vcpus}`, unit: "ns/entry", ratioTo: `entry.virtual.${vcpus}` };
  return { spec, task: { kind: "entry", backend: "atomics", vcpus } };
}

function publishRow(engine: PageEngine, policy: Policy, vcpus: number): ApartRow {
  const whole = engine === "virtual" ? `entry.virtual.${vcpus}` : null;
  const ratioTo = policy === "entry" ? whole : publishName(engine, "entry", vcpus);
  return {
    spec: { name: publishName(engine, policy, vcpus), unit: "ns/entry", ratioTo },
    task: { kind: "publish", policy, vcpus },
  };
}

function publishName(engine: PageEngine, policy: Policy, vcpus: number): string {
  return `publish.${engine}.${policy}.${vcpus}`;
}

/** By how much an entry's publishing gets dearer when there are twice as many vCPUs: 1 when it does not. */
function growthRows(effort: Effort): DerivedRow[] {
  const growth = (name: string, engine: PageEngine, rowName: (vcpus: number) => string): DerivedRow => {
    const sizes = sizesOf(engine, effort);
    return {
      name,
      unit: "x per doubling",
      ratioTo: null,
      from: sizes.map(rowName),
      derive: (values) => growthPerDoubling(sizes.map((x, index) => ({ x, y: values[index] }))),
    };
  };
  return [
    growth("growth.entry.virtual", "virtual", (vcpus) => `entry.virtual.${vcpus}`),
    ...(["virtual", "real"] as const).flatMap((engine) =>
      POLICIES.map((policy) =>
        growth(`growth.publish.${engine}.${policy}`, engine, (vcpus) => publishName(engine, policy, vcpus)),
      ),
    ),
  ];
}
