import type { VcpuResult } from "../../engine/result.js";
import type { Ns } from "../../shared/units.js";
import { accountedNs, unaccountedNs } from "../explain.js";
import { sum } from "../format.js";
import type { Unit } from "./range.js";

/** What kind of number a figure is: that decides its unit, and by how much a real machine may move it. */
export type FigureKind = "share" | "difference" | "ticks" | "switches" | "milliseconds" | "events";

/** A figure that a scenario file may expect something of. */
export interface Figure {
  readonly kind: FigureKind;
  /** For editors and docs. */
  readonly meaning: string;
  /** Of one vCPU, or of all together; null where it cannot be known. */
  readonly of: (vcpus: readonly VcpuResult[], elapsedNs: Ns) => number | null;
}

/** A vCPU's part of a figure; null where it cannot be known. */
type PartOf = (vcpu: VcpuResult, elapsedNs: Ns) => number | null;

/** % of the elapsed time; of several vCPUs together, % of the elapsed time of each. */
function elapsedShare(meaning: string, partOf: PartOf, kind: "share" | "difference" = "share"): Figure {
  return {
    kind,
    meaning,
    of: (vcpus, elapsedNs) => share(together(vcpus, elapsedNs, partOf), elapsedNs * vcpus.length),
  };
}

/** % of what the guest accounted, as top in the guest shows it. */
function accountedShare(meaning: string, partOf: PartOf): Figure {
  return {
    kind: "share",
    meaning,
    of: (vcpus, elapsedNs) =>
      share(together(vcpus, elapsedNs, partOf), sum(vcpus.map(({ guest }) => accountedNs(guest)))),
  };
}

function counted(kind: FigureKind, meaning: string, countOf: PartOf): Figure {
  return { kind, meaning, of: (vcpus, elapsedNs) => together(vcpus, elapsedNs, countOf) };
}

/** null when it is not known of one of them. */
function together(vcpus: readonly VcpuResult[], elapsedNs: Ns, partOf: PartOf): number | null {
  const parts = vcpus.map((vcpu) => partOf(vcpu, elapsedNs)).filter((part) => part !== null);
  return parts.length < vcpus.length ? null : sum(parts);
}

function share(partNs: Ns | null, wholeNs: Ns): number | null {
  return partNs === null || wholeNs === 0 ? null : (partNs * 100) / wholeNs;
}

export const FIGURES = {
  "guest.user": elapsedShare("user time that the guest accounted", ({ guest }) => guest.userNs),
  "guest.system": elapsedShare("system time that the guest accounted", ({ guest }) => guest.systemNs),
  "guest.idle": elapsedShare("idle time that the guest accounted", ({ guest }) => guest.idleNs),
  "guest.steal": elapsedShare("steal time that the guest accounted", ({ guest }) => guest.stealNs),
  "guest.unaccounted": elapsedShare("elapsed time in none of the guest's accounts", unaccountedNs),
  "guest.dropped": elapsedShare(
    "time out of guest that rfc-v2 took from the page and dropped, because the CPU was idle",
    ({ guest }) => guest.stealDroppedIdleNs,
  ),
  "top.user": accountedShare("us as top shows it", ({ guest }) => guest.userNs),
  "top.system": accountedShare("sy as top shows it", ({ guest }) => guest.systemNs),
  "top.idle": accountedShare("id as top shows it", ({ guest }) => guest.idleNs),
  "top.steal": accountedShare("st as top shows it", ({ guest }) => guest.stealNs),
  "host.run": elapsedShare("time on a pCPU, by the host's ledger", ({ host }) => host.runNs),
  "host.wait": elapsedShare("time runnable without a pCPU: the steal that is true", ({ host }) => host.waitNs),
  "host.halt": elapsedShare("time halted", ({ host }) => host.haltNs),
  "host.offline": elapsedShare("time offline, suspended or being moved", ({ host }) => host.offlineNs),
  "host.noise": elapsedShare("of host.run, time that the guest did not get", ({ host }) => host.noiseNs),
  "steal - wait": elapsedShare(
    "guest.steal less host.wait: how far the guest is from the truth",
    ({ guest, host }) => guest.stealNs - host.waitNs,
    "difference",
  ),
  ticks: counted("ticks", "tick deadlines that were accounted", ({ guest }) => guest.ticks),
  lostTicks: counted("ticks", "tick deadlines that passed out of guest, never taken", ({ guest }) => guest.lostTicks),
  lockups: counted("events", "softlockups reported", ({ guest }) => guest.softlockups.reported),
  suppressed: counted(
    "events",
    "stalls that the plain watchdog would have reported",
    ({ guest }) => guest.softlockups.suppressed,
  ),
  entries: counted("switches", "entries into the guest", ({ host }) => host.entries),
  migrations: counted("switches", "entries on another pCPU than the one before", ({ host }) => host.migrations),
  "page.updates": counted("switches", "writes of the page since it was registered", ({ page }) => page.updates),
  "page.stealMs": counted("milliseconds", "the page's 32-bit field, as it stands", ({ page }) => page.stealMs),
} as const satisfies Readonly<Record<string, Figure>>;

export type FigureName = keyof typeof FIGURES;
export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

export function unitOf({ kind }: Figure): Unit {
  switch (kind) {
    case "share":
      return "%";
    case "difference":
      return "points";
    case "ticks":
    case "switches":
    case "milliseconds":
    case "events":
      return "";
  }
}
