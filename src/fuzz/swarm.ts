import type { Dice } from "./dice.js";

/** How often a feature is switched on, in percent. */
const SWITCHES = {
  manyPcpus: 60,
  weights: 50,
  pinning: 40,
  /** Most pins are to one pCPU: only then is it known who competes with whom. */
  singlePins: 50,
  hostTasks: 40,
  /** All vCPUs do the same. */
  oneWorkload: 30,
  sleepers: 70,
  stuck: 25,
  alignedPhases: 40,
  noStealFeature: 20,
  oddTsc: 50,
  shortWatchdog: 60,
  jitter: 30,
  wakeLatency: 30,
  hostNoise: 30,
  startAt: 40,
  junkMemory: 25,
  oddAddresses: 15,
  hotplug: 35,
  suspend: 25,
  migrate: 25,
} as const;

/** Which features a scenario may have. */
export type Swarm = Readonly<Record<keyof typeof SWITCHES, boolean>>;

export function drawSwarm(dice: Dice): Swarm {
  const drawn = Object.entries(SWITCHES).map(([feature, percent]) => [feature, dice.percent(percent)] as const);
  return Object.fromEntries(drawn) as Swarm;
}
