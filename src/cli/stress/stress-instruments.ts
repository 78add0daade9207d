import type { KnownProtocol } from "../../verify/protocols.js";
import { stress } from "../../verify/stress/stress.js";
import type { StressOptions, StressRun } from "../../verify/stress/stress-run.js";

/** What the stress command works with; tests bring their own. */
export interface StressInstruments {
  readonly stress: (options: StressOptions) => Promise<StressRun>;
  /**
   * Asked where a run of a broken protocol showed no tear: the names of the memory models under which the explorer
   * finds one, as "es, arm"; null for none. "sc", "x86" or "tso" among them: it takes no reordering of loads, or of
   * stores.
   */
  readonly killedByExplorer: (protocol: KnownProtocol) => Promise<{ readonly model: string } | null>;
  /**
   * Looks closely at a user's protocol before it is run.
   *
   * @throws StealclockError "bad-input", naming the file and what is wrong with it
   */
  readonly checkProtocolFile: (file: string) => Promise<void>;
}

export const STRESS_INSTRUMENTS: StressInstruments = {
  stress,
  killedByExplorer: async () => null,
  checkProtocolFile: async () => {},
};
