import type { Ns } from "../shared/units.js";
import { staggeredPhaseNs } from "./default-scenario.js";
import type { EngineKind } from "./scenario.js";
import { randomPhasesNs } from "./virtual/random-streams.js";

/** staggered: spread evenly over one tick; random: anywhere in one tick, as the seed says. */
export type TickPhaseRule = "staggered" | "random";

/** Where an engine's tick grids start when nothing is said. */
export function defaultPhaseRule(engine: EngineKind): TickPhaseRule {
  switch (engine) {
    case "real":
      return "staggered";
    case "virtual":
      return "random";
  }
}

/**
 * Where each vCPU's tick grid starts.
 *
 * @param seed random only: a vCPU's phase does not depend on how many others there are
 */
export function phasesByRuleNs(rule: TickPhaseRule, seed: number, vcpuCount: number, tickNsec: Ns): Ns[] {
  switch (rule) {
    case "staggered":
      return Array.from({ length: vcpuCount }, (_, id) => staggeredPhaseNs(id, vcpuCount, tickNsec));
    case "random":
      return randomPhasesNs(seed, vcpuCount, tickNsec);
  }
}
