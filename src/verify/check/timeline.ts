import { type Graph, READS_NOTHING } from "../explore/graph.js";
import { Relation } from "../explore/relation.js";
import { addCoherence, addReadsFrom } from "../models/coherence-edges.js";
import { WRITER } from "./read-program.js";

/** One access of an execution, where it stands in a timeline. */
export interface TimelineRow {
  /** Index of its thread in the program. */
  readonly thread: number;
  readonly operation: "load" | "store" | "read-modify-write";
  readonly order: "atomic" | "plain";
  /** Word of the page; 0 is the version. */
  readonly word: number;
  readonly loaded: number | null;
  readonly stored: number | null;
  /** The row of the store that was read from; null for the initial value, and for what loads nothing. */
  readonly from: number | null;
  /** The last row above that stored to the word, when it is another than the one read from: the load ran out of turn. */
  readonly overtaken: number | null;
}

/**
 * An execution as one column of events. Where one order explains all loads, that order; else one in which every
 * load still stands below the store that it read from; else the order in which threads run. Stores at the end of a thread that
 * nobody read are left out.
 */
export function timelineOf(graph: Graph): TimelineRow[] {
  const shown = eventsShown(graph);
  const order = inOrder(graph, shown);
  return order.map((event, row) => rowOf(graph, event, order, row));
}

function rowOf(graph: Graph, event: number, order: readonly number[], row: number): TimelineRow {
  const isRead = graph.isRead[event] !== 0;
  const isWrite = graph.isWrite[event] !== 0;
  const source = order.indexOf(graph.readsFrom[event]);
  const above = order
    .slice(0, row)
    .findLastIndex((other) => graph.isWrite[other] !== 0 && graph.location[other] === graph.location[event]);
  const both = isRead && isWrite;
  return {
    thread: graph.thread[event],
    operation: both ? "read-modify-write" : isRead ? "load" : "store",
    order: graph.isAtomic[event] !== 0 ? "atomic" : "plain",
    word: graph.location[event],
    loaded: isRead ? graph.loaded[event] : null,
    stored: isWrite ? graph.stored[event] : null,
    from: isRead && source >= 0 ? source : null,
    overtaken: isRead && above >= 0 && above !== source ? above : null,
  };
}

/** Everything up to each reader's last load, and to the last store that somebody reads; the writer's loads do not count. */
function eventsShown(graph: Graph): boolean[] {
  const shown = new Array<boolean>(graph.count).fill(false);
  for (const own of graph.byThread) {
    const last = own.findLastIndex((event) => {
      if (graph.isRead[event] !== 0 && graph.thread[event] !== WRITER) return true;
      return graph.isWrite[event] !== 0 && isReadBySomebody(graph, event);
    });
    for (const event of own.slice(0, last + 1)) shown[event] = true;
  }
  return shown;
}

function isReadBySomebody(graph: Graph, store: number): boolean {
  for (let event = graph.locations; event < graph.count; event++) {
    if (graph.readsFrom[event] === store && graph.thread[event] !== graph.thread[store]) return true;
  }
  return false;
}

type Constrain = (graph: Graph, relation: Relation) => void;

const FULL: Constrain = (graph, relation) => {
  addReadsFrom(graph, relation, "all");
  addCoherence(graph, relation, "all");
};
const READS_FROM: Constrain = (graph, relation) => addReadsFrom(graph, relation, "all");
const NOTHING: Constrain = () => {};

function inOrder(graph: Graph, shown: readonly boolean[]): number[] {
  for (const constrain of [FULL, READS_FROM, NOTHING]) {
    const relation = new Relation();
    for (const own of graph.byThread) {
      for (let place = 1; place < own.length; place++) relation.add(own[place - 1], own[place]);
    }
    constrain(graph, relation);
    if (relation.isAcyclic(graph.count)) return linearize(graph, relation, shown);
  }
  return [];
}

/** Stays with a thread as long as it can: a timeline with few changes reads best. */
function linearize(graph: Graph, relation: Relation, shown: readonly boolean[]): number[] {
  const placed = shown.map((isShown, event) => !isShown || graph.isInitial(event));
  const order: number[] = [];
  let current = 0;
  for (;;) {
    const threads = graph.byThread.map((_, index) => (index + current) % graph.byThread.length);
    const event = threads
      .map((thread) => nextOf(graph, thread, placed))
      .find((next) => next >= 0 && isReady(graph, relation, placed, next));
    if (event === undefined) return order;
    placed[event] = true;
    order.push(event);
    current = graph.thread[event];
  }
}

function nextOf(graph: Graph, thread: number, placed: readonly boolean[]): number {
  return graph.byThread[thread].find((event) => !placed[event]) ?? READS_NOTHING;
}

function isReady(graph: Graph, relation: Relation, placed: readonly boolean[], event: number): boolean {
  for (let other = graph.locations; other < graph.count; other++) {
    if (!placed[other] && other !== event && relation.has(other, event)) return false;
  }
  return true;
}

/** How often the timeline goes from one thread to another. */
export function changesOf(rows: readonly TimelineRow[]): number {
  return rows.filter(({ thread }, row) => row > 0 && rows[row - 1].thread !== thread).length;
}
