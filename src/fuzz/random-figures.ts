import { defaultScenario } from "../engine/default-scenario.js";
import type { Scenario } from "../engine/scenario.js";
import { MAX_TIME_NS, NS_PER_MS, NS_PER_US, type Ns, TWO_POW_32 } from "../shared/units.js";
import type { Dice } from "./dice.js";
import type { Swarm } from "./swarm.js";

/** 100 us to 50 ms; also what falls together with ticks. */
export function randomSliceNs(dice: Dice, tickNsec: Ns): Ns {
  return dice.oneOf(
    () => 4 * NS_PER_MS,
    () => tickNsec,
    () => dice.between(100 * NS_PER_US, NS_PER_MS),
    () => dice.between(NS_PER_MS, 10 * NS_PER_MS),
    () => dice.between(10 * NS_PER_MS, 50 * NS_PER_MS),
  );
}

export function randomUpdate(dice: Dice): Scenario["update"] {
  return dice.oneOf<Scenario["update"]>(
    () => ({ kind: "entry" }),
    () => ({ kind: "pcpu-change" }),
    () => ({ kind: "steal-entry" }),
    () => ({ kind: "periodic", periodNs: dice.between(100 * NS_PER_US, 10 * NS_PER_MS) }),
  );
}

/** With thresholds short enough that a wait of a few slices is a lockup to the plain watchdog. */
export function randomWatchdog(dice: Dice, { shortWatchdog }: Swarm): Scenario["watchdog"] {
  const mode = dice.pick(["steal-aware", "plain"] as const);
  if (!shortWatchdog) return { ...defaultScenario(1).watchdog, mode };
  const thresholdNs = dice.between(2 * NS_PER_MS, 60 * NS_PER_MS);
  return { mode, thresholdNs, periodNs: dice.between(NS_PER_MS, thresholdNs - 1) };
}

export function randomTscKhz(dice: Dice, { oddTsc }: Swarm): number {
  if (!oddTsc) return 2_600_000;
  return dice.oneOf(
    () => dice.pick([100_000, 1_000_000, 2_000_000, 10_000_000]),
    () => dice.between(100_000, 10_000_000),
  );
}

export function randomChance(dice: Dice, { jitter, wakeLatency, hostNoise }: Swarm): Scenario["chance"] {
  // Some longer than a slice.
  const latencyNs = () =>
    dice.oneOf(
      () => dice.between(1, 60 * NS_PER_US),
      () => dice.between(1, 5 * NS_PER_MS),
    );
  return {
    jitterPercent: jitter ? dice.between(1, 50) : 0,
    wakeLatencyNs: wakeLatency ? latencyNs() : 0,
    hostNoiseNs: hostNoise ? latencyNs() : 0,
  };
}

/** Where numbers are large or fields wrap: 2^32 ms is 49.7 days, 2^53 ns 104. */
export function randomStartNs(dice: Dice, durationNs: Ns): Ns {
  const wrapNs = TWO_POW_32 * NS_PER_MS;
  return dice.oneOf(
    () => dice.between(1, 1_000 * NS_PER_MS),
    () => wrapNs - dice.between(0, durationNs),
    () => MAX_TIME_NS - durationNs - dice.between(0, NS_PER_MS),
  );
}
