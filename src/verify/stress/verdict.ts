import type { KnownProtocol } from "../protocols.js";
import type { Verdict } from "./stress-run.js";

export interface Evidence {
  readonly expected: KnownProtocol["expected"];
  readonly torn: number;
  /** Readers met the writer at work; in a run with a fault, all of them met the fault as well. */
  readonly provedSomething: boolean;
  readonly repairs: boolean;
  readonly stoppedEarly: boolean;
}

/** A tear is a tear, whatever else was proved; and what was not seen to be tried is not held for right. */
export function verdictOf({ expected, torn, provedSomething, repairs, stoppedEarly }: Evidence): Verdict {
  if (torn > 0) return "torn";
  if (!provedSomething) return stoppedEarly ? "stopped" : "proved nothing";
  if (expected === "broken") return "survived";
  return repairs ? "clean" : "not repaired";
}
