import type { EmulateOptions } from "../result.js";
import type { Scenario } from "../scenario.js";

/** What of its options a virtual run needs to know in its own thread. */
export type VirtualRunOptions = Pick<EmulateOptions, "sampleNs" | "untilNs" | "dumpPages" | "events" | "checks">;

/** What the thread of a virtual run is started with. */
export interface VirtualWorkerData {
  readonly scenario: Scenario;
  readonly options: VirtualRunOptions;
  /** One word: not 0 asks it to stop. */
  readonly stop: SharedArrayBuffer;
}
