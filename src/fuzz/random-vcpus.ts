import type { HostTaskConfig, VcpuConfig, Workload } from "../engine/scenario.js";
import { kernelDataBytes } from "../guest/kernel-data.js";
import { GUEST_PAGE_BYTES } from "../shared/pvclock-page.js";
import { NS_PER_MS, type Ns } from "../shared/units.js";
import type { Dice } from "./dice.js";
import type { Swarm } from "./swarm.js";

type Duty = Extract<Workload, { kind: "duty" }>;

/** Where a vCPU stands. */
interface Place {
  readonly id: number;
  readonly pcpus: number;
  readonly tickNsec: Ns;
  readonly vcpuCount: number;
}

export function randomVcpu(dice: Dice, swarm: Swarm, place: Place): VcpuConfig {
  return {
    workload: randomWorkload(dice, swarm),
    nice: randomNice(dice, swarm),
    pcpus: randomPins(dice, swarm, place.pcpus),
    tickPhaseNs: swarm.alignedPhases ? 0 : dice.between(0, place.tickNsec - 1),
    gpa: swarm.oddAddresses && dice.percent(40) ? randomAddress(dice, place) : null,
  };
}

export function randomHostTask(dice: Dice, swarm: Swarm, pcpus: number): HostTaskConfig {
  const workload = dice.percent(50) ? ({ kind: "hog" } as const) : randomDuty(dice);
  return { workload, nice: randomNice(dice, swarm), pcpus: randomPins(dice, swarm, pcpus) };
}

function randomWorkload(dice: Dice, { oneWorkload, sleepers, stuck }: Swarm): Workload {
  if (oneWorkload) return { kind: "hog" };
  if (stuck && dice.percent(30)) return { kind: "stuck" };
  if (!sleepers) return { kind: dice.pick(["hog", "kernel", "mixed"] as const) };
  return dice.oneOf<Workload>(
    () => ({ kind: dice.pick(["hog", "kernel", "mixed", "idle"] as const) }),
    () => randomDuty(dice),
  );
}

/** Any period, or one that falls together with ticks; the busy part is a whole percentage or any. */
function randomDuty(dice: Dice): Duty {
  const periodNs = dice.oneOf(
    () => dice.between(NS_PER_MS, 30 * NS_PER_MS),
    () => dice.pick([1, 4, 10, 12, 20]) * NS_PER_MS,
  );
  const least = Math.floor(periodNs / 100);
  return { kind: "duty", periodNs, busyNs: dice.between(least, 99 * least) };
}

function randomNice(dice: Dice, { weights }: Swarm): number {
  if (!weights) return 0;
  return dice.oneOf(
    () => dice.between(-20, 19),
    () => dice.pick([-20, -1, 0, 1, 5, 19]),
  );
}

function randomPins(dice: Dice, { pinning, singlePins }: Swarm, pcpus: number): number[] | null {
  if (!pinning || dice.percent(25)) return null;
  return singlePins && dice.percent(80) ? [dice.between(0, pcpus - 1)] : dice.someBelow(pcpus);
}

/** Anywhere in its own page: most are refused, for they are not aligned or cross into the next page. */
function randomAddress(dice: Dice, { id, vcpuCount }: Place): number {
  const page = kernelDataBytes(vcpuCount) + id * GUEST_PAGE_BYTES;
  return dice.oneOf(
    () => page + 64 * dice.between(0, GUEST_PAGE_BYTES / 64 - 1),
    () => page + 2 * dice.between(0, GUEST_PAGE_BYTES / 2 - 1),
  );
}
