import type { EmulateOptions } from "../result.js";
import type { Scenario } from "../scenario.js";

/** What of its options a virtual run needs to know in its own thread. */
export type VirtualRunOptions = Pick<
  EmulateOptions,
  "sampleNs" | "untilNs" | "dumpPages" | "events" | "checks" | "checkProtocol" | "protocolBackend"
>;

/** What the thread of a virtual run is started with. */
export interface VirtualWorkerData {
  readonly scenario: Scenario;
  readonly options: VirtualRunOptions;
  /** Two words that both threads look at, with real Atomics: see below. */
  readonly shared: SharedArrayBuffer;
}

/** Not 0 asks the run to stop. */
export const STOP_WORD = 0;
/** How many samples have been read. */
export const SAMPLES_READ_WORD = 1;
