import { type DestinationStream, pino } from "pino";
import type { LogLine } from "../engine/result.js";
import type { LogLevel } from "./flags.js";

/**
 * The one logger of the process, in its main thread: parts of a run hand their lines over as data.
 *
 * @returns what to give a run as `onLog`
 */
export function createLog(level: LogLevel, destination: DestinationStream): (line: LogLine) => void {
  const logger = pino({ level, base: null }, destination);
  return ({ level: lineLevel, part, message, fields }) => logger[lineLevel]({ part, ...fields }, message);
}

/** stderr, written before the call returns: a line logged just before a death is not lost. */
export function stderrDestination(): DestinationStream {
  const destination = pino.destination({ fd: 2, sync: true });
  // A log that cannot be written is no reason to lose the run.
  destination.on("error", () => undefined);
  return destination;
}
