import { count } from "../../shared/text.js";
import { PROTOCOL_WORDS } from "../protocol.js";
import { payloadOf } from "./payload.js";
import type { ProtocolThreads } from "./protocol-threads.js";
import { runAlone } from "./run-alone.js";
import { patternsOf, payloadsAfter, type UpdateKind } from "./updates.js";

/** How a page stands before the writer and the readers begin. */
export interface Start {
  /** "a fresh page", "a page whose writer died after 3 stores". */
  readonly text: string;
  readonly memory: readonly number[];
  /** The updates that were begun on it, the last one not ended. */
  readonly begun: readonly UpdateKind[];
}

/** A page with version 0 that holds update 0 whole. */
export const FRESH: Start = {
  text: "a fresh page",
  memory: [0, ...payloadOf(0)],
  begun: [],
};

/** As FRESH, but the version of the next update is 0: it has all bits set until then. */
export const ABOUT_TO_WRAP: Start = {
  ...FRESH,
  text: "a page whose version is about to wrap",
  memory: [-2, ...payloadOf(0)],
};

/**
 * Pages as the protocol's own writer leaves them when it dies within one of its updates, after each store but the last.
 * None is whole: what follows has to be a full update.
 */
export function diedStarts(threads: ProtocolThreads, updates: number): Start[] {
  const lengths = Array.from({ length: updates }, (_, index) => index + 1);
  return lengths.flatMap((length) => patternsOf(length, threads.kinds).flatMap((begun) => diedInLast(threads, begun)));
}

/** Of these updates on a fresh page, all but the last were ended. */
function diedInLast(threads: ProtocolThreads, begun: readonly UpdateKind[]): Start[] {
  const update = begun.length;
  const { memory: whole } = runAlone(threads.writer(1, begun.slice(0, -1)), FRESH.memory);
  const writer = threads.writer(update, begun.slice(-1));
  const { stores: all } = runAlone(writer, whole);
  const starts: Start[] = [];
  for (let stores = 1; stores < Math.min(all, MAX_STORES); stores++) {
    const { memory } = runAlone(writer, whole, stores);
    const text = `a page whose writer died after ${count(stores, "store")} of update ${update}`;
    starts.push({ text, memory, begun });
  }
  return starts;
}

/** Of a writer that stores to every word more than once, the first. */
const MAX_STORES = 4 * PROTOCOL_WORDS;

/** What may be accepted of a page: the words that an update leaves, under the version at which it was complete. */
export interface WholeUpdate {
  readonly update: number;
  readonly kind: UpdateKind;
  readonly payload: Int32Array;
  readonly version: number;
  /** The page when it was complete. */
  readonly memory: readonly number[];
}

/** All whole updates of a page, from its start to after these. */
export function wholeUpdates(threads: ProtocolThreads, start: Start, updates: readonly UpdateKind[]): WholeUpdate[] {
  const first = start.begun.length + 1;
  const kinds: readonly UpdateKind[] = ["full", ...start.begun, ...updates];
  let { memory } = start;
  return payloadsAfter(kinds.slice(1)).map((payload, update) => {
    const kind = kinds[update];
    if (update >= first) memory = runAlone(threads.writer(update, [kind]), memory).memory;
    return { update, kind, payload, version: memory[0], memory };
  });
}
