import { isDeepStrictEqual } from "node:util";
import { type Agreement, agreementOf } from "../engine/check/agreement.js";
import type { RunResult, VcpuResult } from "../engine/result.js";
import { type SettingDifference, settingDifferences } from "./compare-settings.js";
import { unaccountedNs } from "./explain.js";

/** One figure in two runs, in the order of Comparison.ids. */
export interface ComparedFigure {
  readonly key: string;
  /** What a table calls it. */
  readonly title: string;
  readonly pairs: readonly Pair[];
}

export interface Pair {
  readonly a: number;
  readonly b: number;
}

/** Two runs side by side. */
export interface Comparison {
  /** Everything is equal but what boot took and what the guest cost, which the real machine decides. */
  readonly identical: boolean;
  readonly settings: readonly SettingDifference[];
  /** The vCPUs that both runs have: only these are compared. */
  readonly ids: readonly number[];
  /** Shares of elapsed time, 0 to 1. */
  readonly shares: readonly ComparedFigure[];
  readonly counts: readonly ComparedFigure[];
  /** For a real run beside a virtual one of the same scenario; null for any other two. */
  readonly agreement: Agreement | null;
}

type FigureOf = (vcpu: VcpuResult, run: RunResult) => number;

const SHARES: readonly (readonly [key: string, title: string, nsOf: FigureOf])[] = [
  ["guestUser", "guest user", ({ guest }) => guest.userNs],
  ["guestSystem", "guest system", ({ guest }) => guest.systemNs],
  ["guestIdle", "guest idle", ({ guest }) => guest.idleNs],
  ["guestSteal", "guest steal", ({ guest }) => guest.stealNs],
  ["wait", "true wait", ({ host }) => host.waitNs],
  ["run", "true run", ({ host }) => host.runNs],
  ["halt", "true halt", ({ host }) => host.haltNs],
  ["unaccounted", "unaccounted", (vcpu, { elapsedNs }) => unaccountedNs(vcpu, elapsedNs)],
];

const COUNTS: readonly (readonly [key: string, title: string, countOf: FigureOf])[] = [
  ["lockups", "lockups", ({ guest }) => guest.softlockups.reported],
  ["suppressed", "suppressed", ({ guest }) => guest.softlockups.suppressed],
  ["lostTicks", "lost ticks", ({ guest }) => guest.lostTicks],
  ["updates", "page updates", ({ page }) => page.updates],
];

/** Sets two runs side by side, vCPU by vCPU as far as both have them. */
export function compareRuns(a: RunResult, b: RunResult): Comparison {
  const partners = new Map(b.vcpus.map((vcpu) => [vcpu.id, vcpu]));
  const both = a.vcpus.flatMap((vcpu) => {
    const partner = partners.get(vcpu.id);
    return partner === undefined ? [] : [{ id: vcpu.id, a: vcpu, b: partner }];
  });
  const pairsOf = (figureOf: FigureOf): Pair[] =>
    both.map((vcpu) => ({ a: figureOf(vcpu.a, a), b: figureOf(vcpu.b, b) }));
  const shareOf =
    (nsOf: FigureOf): FigureOf =>
    (vcpu, run) =>
      run.elapsedNs > 0 ? nsOf(vcpu, run) / run.elapsedNs : 0;
  const settings = settingDifferences(a, b);
  return {
    identical: isDeepStrictEqual(comparable(a), comparable(b)),
    settings,
    ids: both.map(({ id }) => id),
    shares: SHARES.map(([key, title, nsOf]) => ({ key, title, pairs: pairsOf(shareOf(nsOf)) })),
    counts: COUNTS.map(([key, title, countOf]) => ({ key, title, pairs: pairsOf(countOf) })),
    agreement: agreementOfEngines(a, b, settings),
  };
}

/** A run without what no scheduler decides; samples and warnings say nothing that is not in the rest. */
function comparable({ engine, seed, config, elapsedNs, stoppedEarly, ok, vcpus, invariants }: RunResult): unknown {
  const figures = vcpus.map((vcpu) => ({ ...vcpu, cost: null }));
  return { engine, seed: seed ?? null, config, elapsedNs, stoppedEarly, ok, vcpus: figures, invariants };
}

function agreementOfEngines(a: RunResult, b: RunResult, settings: readonly SettingDifference[]): Agreement | null {
  const sameScenario = settings.every(({ setting }) => setting === "engine" || setting === "seed");
  if (a.engine === b.engine || !sameScenario) return null;
  return a.engine === "real" ? agreementOf(a, b) : agreementOf(b, a);
}
