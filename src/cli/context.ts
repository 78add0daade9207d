import type { EventEmitter } from "node:events";
import type { DestinationStream } from "pino";
import type { Machine } from "../engine/machine.js";
import type { EmulateOptions, RunResult } from "../engine/result.js";
import type { Scenario } from "../engine/scenario.js";
import type { OutputStream } from "./output.js";
import type { StressInstruments } from "./stress/stress-instruments.js";

/** All that the command line needs of the world; tests bring their own. */
export interface CliContext {
  readonly emulate: (scenario: Scenario, options: EmulateOptions) => Promise<RunResult>;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Where log lines go, written at once. */
  readonly logDestination: () => DestinationStream;
  readonly machine: () => Machine;
  /** A seed for a run in virtual time that was given none. */
  readonly drawSeed: () => number;
  /** What the stress command works with, when it is not the real thing. */
  readonly stressInstruments?: StressInstruments;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What emits SIGINT and SIGTERM. */
  readonly signals: Pick<EventEmitter, "on" | "off">;
  readonly nowMs: () => number;
  /** Ends the process at once. */
  readonly leave: (exitCode: number) => void;
}
