import { count } from "../../shared/text.js";
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

/** As FRESH, but the version of the next update is 0: it has all bits set until then. */
export const ABOUT_TO_WRAP: Start = {
  ...FRESH,
  text: "a page whose version is about to wrap",
  memory: [-2, ...payloadOf(0)],
};

/** Pages as the protocol's own writer leaves them when it dies within one of its updates, after each store but the last. */
export function diedStarts(threads: ProtocolThreads, updates: number): Start[] {
  const starts: Start[] = [];
  let whole = FRESH.memory;
  for (let update = 1; update <= updates; update++) {
    const writer = threads.writer(update, 1);
    const { stores: all, memory: next } = runAlone(writer, whole);
    for (let stores = 1; stores < Math.min(all, MAX_STORES); stores++) {
      const after = `${count(stores, "store")} of update ${update}`;
      const { memory } = runAlone(writer, whole, stores);
      starts.push({ text: `a page whose writer died after ${after}`, memory, firstUpdate: update + 1 });
    }
    whole = next;
  }
  return starts;
}

/** Of a writer that stores to every word more than once, the first. */
const MAX_STORES = 4 * PROTOCOL_WORDS;

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
