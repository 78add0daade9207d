import type { ProtocolThreads } from "./protocol-threads.js";
import type { Size } from "./read-program.js";
import { ABOUT_TO_WRAP, diedStarts, FRESH } from "./start.js";
import { patternsOf } from "./updates.js";

/** How large the explored programs may be. */
export interface Bounds {
  readonly updates: number;
  readonly readers: number;
  readonly maxRetries: number;
}

export const DEFAULT_BOUNDS: Bounds = { updates: 2, readers: 2, maxRetries: 1 };

/**
 * The programs to explore, from small to large, so that what is found first is short: one update without a retry and
 * with them, of readers among themselves, about to wrap, and on pages of writers that died, then all updates, and last as
 * many retries as show that no more of them come from a change than there are updates. Updates are of every kind that
 * the protocol has, in every way, all full ones first; on a page that is not whole the first is a full one.
 */
export function sizesWithin(threads: ProtocolThreads, { updates, readers, maxRetries }: Bounds): Size[] {
  const inEveryWay = (size: Omit<Size, "updates">, number: number): Size[] =>
    patternsOf(number, threads.kinds).map((pattern) => ({ ...size, updates: pattern }));
  return [
    ...inEveryWay({ start: FRESH, readers: 1, maxRetries: 0 }, 1),
    ...inEveryWay({ start: FRESH, readers: 1, maxRetries }, 1),
    { start: FRESH, updates: [], readers: 2, maxRetries },
    ...inEveryWay({ start: ABOUT_TO_WRAP, readers: 1, maxRetries }, 1),
    ...diedStarts(threads, updates).map((start): Size => ({ start, updates: ["full"], readers: 1, maxRetries })),
    ...inEveryWay({ start: FRESH, readers, maxRetries: 0 }, updates),
    ...inEveryWay({ start: FRESH, readers, maxRetries }, updates),
    ...inEveryWay({ start: FRESH, readers: 1, maxRetries: Math.max(maxRetries, updates + 1) }, updates),
  ];
}
