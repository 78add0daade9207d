import type { Bounds, ModelFindings } from "../check/check-under-model.js";
import type { ModelName } from "../models/model.js";
import type { KnownProtocol } from "../protocols.js";

/** What the explorer's worker is told. */
export interface VerifyWorkerData {
  readonly file: string;
  readonly layout: KnownProtocol["layout"];
  readonly models: readonly ModelName[];
  readonly bounds: Bounds;
  /** PULSE_WORDS words. */
  readonly pulse: SharedArrayBuffer;
}

/** What it says. */
export type VerifyMessage =
  | {
      readonly kind: "findings";
      readonly model: ModelName;
      readonly findings: ModelFindings;
      readonly durationNs: number;
    }
  /** The protocol's code did what it must not. */
  | { readonly kind: "refused"; readonly message: string }
  /** The programs have too many executions. */
  | { readonly kind: "too-large"; readonly model: ModelName; readonly message: string }
  | { readonly kind: "done" };
