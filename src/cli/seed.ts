import { randomInt } from "node:crypto";
import { LIMITS } from "../engine/scenario-limits.js";

/** A seed for a run that was given none: the one thing about a virtual run that is drawn from outside. */
export function drawSeed(): number {
  return randomInt(LIMITS.seed.max + 1);
}
