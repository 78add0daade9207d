import type { EventEmitter } from "node:events";

const STOP_SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * npm passes a signal on to its child, which a terminal's Ctrl-C has reached already: the second of such a pair is not
 * a second wish.
 */
const ECHO_MS = 400;

export interface StopSignalOptions {
  /** process, or a stand-in. */
  readonly source: Pick<EventEmitter, "on" | "off">;
  readonly onStop: () => void;
  readonly onLeave: () => void;
  /** Milliseconds of any clock that never goes back. */
  readonly nowMs: () => number;
}

/**
 * The first SIGINT or SIGTERM asks the run to end; a later one, told apart from an echo of the first, leaves at once.
 *
 * @returns takes the handlers away again
 */
export function listenForStop({ source, onStop, onLeave, nowMs }: StopSignalOptions): () => void {
  let firstMs: number | null = null;
  const handle = () => {
    if (firstMs === null) {
      firstMs = nowMs();
      onStop();
    } else if (nowMs() - firstMs > ECHO_MS) {
      onLeave();
    }
  };
  for (const signal of STOP_SIGNALS) source.on(signal, handle);
  return () => {
    for (const signal of STOP_SIGNALS) source.off(signal, handle);
  };
}
