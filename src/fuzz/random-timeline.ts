import type { TimelineEvent } from "../engine/scenario.js";
import { NS_PER_MS, NS_PER_US, type Ns } from "../shared/units.js";
import type { Dice } from "./dice.js";
import { randomTscKhz } from "./random-figures.js";
import type { Swarm } from "./swarm.js";

const MAX_EVENTS_OF_A_KIND = 4;

interface Frame {
  readonly durationNs: Ns;
  readonly vcpuCount: number;
}

/** Some vCPUs go offline, and the whole machine stands still: now and then, or several times back to back. */
export function randomTimeline(dice: Dice, swarm: Swarm, frame: Frame): TimelineEvent[] {
  const offline = swarm.hotplug ? randomOfflines(dice, frame) : [];
  const stops = swarm.suspend || swarm.migrate ? randomStops(dice, swarm, frame) : [];
  return [...offline, ...stops].sort((a, b) => a.atNs - b.atNs);
}

function randomOfflines(dice: Dice, frame: Frame): TimelineEvent[] {
  const chosen = Array.from({ length: frame.vcpuCount }, (_, vcpu) => vcpu).filter(() => dice.percent(50));
  return chosen.flatMap((vcpu) =>
    randomSpans(dice, frame).map((span) => ({ kind: "offline", ...span, vcpu }) as const),
  );
}

function randomStops(dice: Dice, swarm: Swarm, frame: Frame): TimelineEvent[] {
  return randomSpans(dice, frame).map((span) => {
    const migrates = swarm.migrate && (!swarm.suspend || dice.percent(50));
    return migrates ? { kind: "migrate", ...span, ...randomTarget(dice, swarm) } : { kind: "suspend", ...span };
  });
}

function randomTarget(dice: Dice, swarm: Swarm) {
  return { stealFeature: !swarm.noStealFeature || dice.percent(50), tscKhz: randomTscKhz(dice, swarm) };
}

/** One after another, each later than the end of the one in front of it. */
function randomSpans(dice: Dice, { durationNs }: Frame): { atNs: Ns; forNs: Ns }[] {
  const spans: { atNs: Ns; forNs: Ns }[] = [];
  const count = dice.between(1, MAX_EVENTS_OF_A_KIND);
  let fromNs = dice.oneOf(
    () => 0,
    () => dice.between(0, durationNs - 1),
  );
  for (let n = 0; n < count && fromNs < durationNs; n++) {
    const forNs = dice.oneOf(
      () => dice.between(NS_PER_US, NS_PER_MS),
      () => dice.between(NS_PER_MS, 100 * NS_PER_MS),
      () => dice.between(1, 20) * NS_PER_MS,
    );
    spans.push({ atNs: fromNs, forNs });
    fromNs +=
      forNs +
      dice.oneOf(
        () => 1,
        () => dice.between(1, NS_PER_MS),
        () => dice.between(1, durationNs),
      );
  }
  return spans;
}
