import { type Bounds, DEFAULT_BOUNDS } from "../../verify/check/check-under-model.js";
import { MODEL_NAMES } from "../../verify/models/model.js";
import { type KnownProtocol, protocolOfFile } from "../../verify/protocols.js";
import { verifyProtocol } from "../../verify/run/verify-protocol.js";
import { stress } from "../../verify/stress/stress.js";
import type { StressOptions, StressRun } from "../../verify/stress/stress-run.js";

const SMALLEST_BOUNDS: Bounds = { updates: 1, readers: 1, maxRetries: 1 };

/** What the stress command works with; tests bring their own. */
export interface StressInstruments {
  readonly stress: (options: StressOptions) => Promise<StressRun>;
  /**
   * Asked where a run of a broken protocol showed no tear: the names of the memory models under which the explorer
   * finds one, as "es, arm"; null for none. "sc", "x86" or "tso" among them: it takes no reordering of loads, or of
   * stores.
   */
  readonly killedByExplorer: (
    protocol: KnownProtocol,
    signal: AbortSignal,
  ) => Promise<{ readonly model: string } | null>;
  /**
   * Looks closely at a user's protocol before it is run.
   *
   * @throws StealclockError "bad-input", naming the file and what is wrong with it
   */
  readonly checkProtocolFile: (file: string, signal: AbortSignal) => Promise<void>;
}

export const STRESS_INSTRUMENTS: StressInstruments = {
  stress,
  killedByExplorer: async (protocol, signal) => {
    const results = await verifyProtocol({ protocol, models: MODEL_NAMES, bounds: DEFAULT_BOUNDS, signal });
    const killing = results.filter(({ holds }) => !holds).map(({ model }) => model);
    return killing.length === 0 ? null : { model: killing.join(", ") };
  },
  // What it may not do shows in the smallest programs. Whether it is right is not asked here.
  checkProtocolFile: async (file, signal) => {
    await verifyProtocol({ protocol: protocolOfFile(file), models: ["sc"], bounds: SMALLEST_BOUNDS, signal });
  },
};
