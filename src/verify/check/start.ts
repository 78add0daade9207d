import { PROTOCOL_WORDS } from "../protocol.js";
import { payloadOf } from "./payload.js";
import type { ProtocolThreads } from "./protocol-threads.js";
import { runAlone } from "./run-alone.js";

/** How a page stands before the writer and the readers begin. */
export interface Start {
  /** "a fresh page", "a page whose writer died after 3 stores". */
  readonly text: string;
  readonly memory: readonly number[];
  /** The number of the first update that the writer will write. */
  readonly firstUpdate: number;
}

/** A page with version 0 that holds update 0 whole. */
export const FRESH: Start = {
  text: "a fresh page",
  memory: [0, ...payloadOf(0)],
  firstUpdate: 1,
};

/** Pages as the protocol's own writer leaves them when it dies within an update, at each of its stores but the last. */
export function diedStarts(threads: ProtocolThreads): Start[] {
  const writer = threads.writer(1, 1);
  const starts: Start[] = [];
  for (let stores = 1; stores <= 4 * PROTOCOL_WORDS; stores++) {
    const { memory, ended } = runAlone(writer, FRESH.memory, stores);
    if (ended || runAlone(writer, FRESH.memory).stores === stores) return starts;
    const text = `a page whose writer died after ${stores} ${stores === 1 ? "store" : "stores"}`;
    starts.push({ text, memory, firstUpdate: 2 });
  }
  return starts;
}

/** What may be accepted of a page: the words that an update was given, under the version at which it was complete. */
export interface WholeUpdate {
  readonly update: number;
  readonly version: number;
  /** The page when it was complete. */
  readonly memory: readonly number[];
}

/** All whole updates of a page, from its start to after so many more. */
export function wholeUpdates(threads: ProtocolThreads, start: Start, updates: number): WholeUpdate[] {
  const whole: WholeUpdate[] = [];
  for (let update = 0; update < start.firstUpdate; update++) {
    whole.push({ update, version: start.memory[0], memory: start.memory });
  }
  let { memory } = start;
  for (let update = start.firstUpdate; update < start.firstUpdate + updates; update++) {
    memory = runAlone(threads.writer(update, 1), memory).memory;
    whole.push({ update, version: memory[0], memory });
  }
  return whole;
}
