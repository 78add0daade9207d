import { type Ns, tickNsecOf } from "../../shared/units.js";
import type { RunResult, VcpuResult } from "../result.js";
import { MAX_NOISE_SHARE } from "./noise.js";

type AgreementVerdict = "agrees" | "differs" | "inconclusive";

/** Whether a run on real threads and a virtual one of the same scenario came to the same shares of elapsed time. */
export interface Agreement {
  readonly verdict: AgreementVerdict;
  /** The verdict in words: the reason, and which vCPUs. */
  readonly detail: string;
  /** The vCPUs that both runs have. */
  readonly vcpus: readonly VcpuAgreement[];
}

interface VcpuAgreement {
  readonly id: number;
  readonly verdict: AgreementVerdict;
  readonly detail: string;
  /** How far apart two shares may be, 0 to 1; null when the real run's noise is unknown. */
  readonly allowedShare: number | null;
  readonly shares: readonly ShareAgreement[];
}

/** One share of elapsed time, 0 to 1, in both runs. */
interface ShareAgreement {
  readonly name: "run" | "wait" | "halt" | "guest steal";
  readonly realShare: number;
  readonly virtualShare: number;
}

const JUDGED: readonly (readonly [name: ShareAgreement["name"], figureOf: (vcpu: VcpuResult) => Ns])[] = [
  ["run", ({ host }) => host.runNs],
  ["wait", ({ host }) => host.waitNs],
  ["halt", ({ host }) => host.haltNs],
  ["guest steal", ({ guest }) => guest.stealNs],
];

/**
 * Holds a run of the real engine against a virtual run of the same scenario. Two shares agree when they are no further
 * apart than the noise that the real machine put into that vCPU's run, plus two ticks: one at each end, since tick
 * accounting knows nothing finer. Where noise is unknown or above MAX_NOISE_SHARE, nothing is concluded.
 *
 * Differs when one vCPU does; else inconclusive when one is. The caller sees to it that the scenarios are equal.
 */
export function agreementOf(real: RunResult, virtual: RunResult): Agreement {
  const partners = new Map(virtual.vcpus.map((vcpu) => [vcpu.id, vcpu]));
  const vcpus = real.vcpus.flatMap((vcpu) => {
    const partner = partners.get(vcpu.id);
    return partner === undefined ? [] : [judge(vcpu, partner, real, virtual)];
  });
  const verdict = worstOf(vcpus);
  const involved = vcpus.filter((vcpu) => vcpu.verdict === verdict);
  return { verdict, detail: `${involved.length} of ${vcpus.length} vCPUs: ${reasonOf(verdict)}`, vcpus };
}

function judge(real: VcpuResult, virtual: VcpuResult, realRun: RunResult, virtualRun: RunResult): VcpuAgreement {
  const shares = JUDGED.map(([name, figureOf]) => ({
    name,
    realShare: shareOf(figureOf(real), realRun.elapsedNs),
    virtualShare: shareOf(figureOf(virtual), virtualRun.elapsedNs),
  }));
  const shorterNs = Math.min(realRun.elapsedNs, virtualRun.elapsedNs);
  const { noiseNs } = real.host;
  const known = { id: real.id, shares };
  if (noiseNs === null || shorterNs <= 0) {
    const detail = noiseNs === null ? "the real run's noise is unknown" : "nothing ran";
    return { ...known, verdict: "inconclusive", allowedShare: null, detail };
  }
  const noiseShare = shareOf(noiseNs, realRun.elapsedNs);
  const allowedShare = noiseShare + (2 * tickNsecOf(realRun.config.hz)) / shorterNs;
  if (noiseShare > MAX_NOISE_SHARE) {
    const detail = `the real machine took ${percent(noiseShare)} of elapsed time, more than ${percent(MAX_NOISE_SHARE)}`;
    return { ...known, verdict: "inconclusive", allowedShare, detail };
  }
  const widest = shares.reduce((worst, share) => (distance(share) > distance(worst) ? share : worst));
  return {
    ...known,
    verdict: distance(widest) <= allowedShare ? "agrees" : "differs",
    allowedShare,
    detail:
      `${widest.name} ${percent(widest.realShare)} real, ${percent(widest.virtualShare)} virtual: ` +
      `${points(distance(widest))} points apart, ${points(allowedShare)} allowed`,
  };
}

function distance({ realShare, virtualShare }: ShareAgreement): number {
  return Math.abs(realShare - virtualShare);
}

function shareOf(partNs: Ns, wholeNs: Ns): number {
  return wholeNs > 0 ? partNs / wholeNs : 0;
}

function worstOf(vcpus: readonly VcpuAgreement[]): AgreementVerdict {
  const has = (wanted: AgreementVerdict) => vcpus.some(({ verdict }) => verdict === wanted);
  if (has("differs")) return "differs";
  return has("inconclusive") || vcpus.length === 0 ? "inconclusive" : "agrees";
}

function reasonOf(verdict: AgreementVerdict): string {
  switch (verdict) {
    case "agrees":
      return "every share within the real machine's noise and two ticks";
    case "differs":
      return "a share is further apart than the real machine's noise and two ticks explain";
    case "inconclusive":
      return "the real run's noise is unknown or too much to tell";
  }
}

function percent(share: number): string {
  return `${points(share)} %`;
}

/** Points of a percent in two decimals: what is allowed in a long run is a few hundredths. */
function points(share: number): string {
  return (share * 100).toFixed(2);
}
