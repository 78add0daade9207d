import { defaultScenario } from "../engine/default-scenario.js";
import type { Hz, Scenario } from "../engine/scenario.js";
import { NS_PER_MS, tickNsecOf } from "../shared/units.js";
import { Dice } from "./dice.js";
import {
  randomChance,
  randomSliceNs,
  randomStartNs,
  randomTscKhz,
  randomUpdate,
  randomWatchdog,
} from "./random-figures.js";
import { randomTimeline } from "./random-timeline.js";
import { randomHostTask, randomVcpu } from "./random-vcpus.js";
import { drawSwarm } from "./swarm.js";

/** Beyond these the machine is no more telling, only slower. */
const MAX_VCPUS = 24;
const MAX_PCPUS = 8;
const MAX_HOST_TASKS = 3;

/**
 * The scenario of a seed. Each seed first draws which features its scenario may have at all (a swarm), so that combinations of few
 * features come up as well as those of many.
 *
 * @param seed 0 to 2^32 - 1; the scenario's own, too
 */
export function randomScenario(seed: number): Scenario {
  const dice = new Dice(seed);
  const swarm = drawSwarm(dice);
  const hz = dice.pick<Hz>([100, 250, 300, 1000]);
  const tickNsec = tickNsecOf(hz);
  const pcpus = swarm.manyPcpus ? dice.between(2, MAX_PCPUS) : 1;
  const vcpuCount = dice.oneOf(
    () => dice.between(1, 4),
    () => dice.between(2, 10),
    () => dice.between(2, MAX_VCPUS),
  );
  const durationNs = dice.between(20 * NS_PER_MS, 400 * NS_PER_MS);
  const vcpus = Array.from({ length: vcpuCount }, (_, id) =>
    randomVcpu(dice, swarm, { id, pcpus, tickNsec, vcpuCount }),
  );
  const tasks = swarm.hostTasks ? dice.between(1, MAX_HOST_TASKS) : 0;
  return {
    ...defaultScenario(1, hz),
    engine: "virtual",
    seed,
    durationNs,
    pcpus,
    sliceNs: randomSliceNs(dice, tickNsec),
    update: randomUpdate(dice),
    measure: dice.pick(["out-of-guest", "wait"]),
    stealUnit: dice.pick(["ms", "ns"]),
    stealFeature: !swarm.noStealFeature || dice.percent(50),
    accounting: dice.pick(["none", "rfc-v2", "rfc-v2", "mainline", "mainline"]),
    tscKhz: randomTscKhz(dice, swarm),
    watchdog: randomWatchdog(dice, swarm),
    vcpus,
    hostTasks: Array.from({ length: tasks }, () => randomHostTask(dice, swarm, pcpus)),
    chance: randomChance(dice, swarm),
    startAtNs: swarm.startAt ? randomStartNs(dice, durationNs) : 0,
    timeline: randomTimeline(dice, swarm, { durationNs, vcpuCount }).filter(
      // A stuck CPU can't go offline.
      (event) => event.kind !== "offline" || vcpus[event.vcpu].workload.kind !== "stuck",
    ),
    pageMemory: swarm.junkMemory ? "junk" : "zero",
  };
}
