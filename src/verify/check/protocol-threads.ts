import { ProtocolFault } from "../explore/protocol-fault.js";
import type { CallName, Recorder } from "../explore/recorder.js";
import { ThreadTrie } from "../explore/thread-trie.js";
import { PAYLOAD_WORDS, type Protocol } from "../protocol.js";
import { payloadOf } from "./payload.js";
import { stealOf, type UpdateKind } from "./updates.js";

/** What one read came to. */
export interface ReadResult {
  readonly retries: number;
  readonly gaveUp: boolean;
  readonly out: readonly number[];
  /** The version under which the words were accepted; null when the protocol does not tell. */
  readonly version: number | null;
}

/** A call that makes more loads than this for each try that it has is not bounded. */
const MAX_LOADS_A_TRY = 64;

/** The threads of a protocol: its writer and its reader, at each size asked for, kept for all models. */
export class ProtocolThreads {
  readonly #recorder: Recorder;
  readonly #protocol: Protocol;
  readonly #writers = new Map<string, ThreadTrie>();
  readonly #readers = new Map<number, ThreadTrie>();

  constructor(recorder: Recorder, protocol: Protocol) {
    this.#recorder = recorder;
    this.#protocol = protocol;
  }

  /** In which ways it can make an update. */
  get kinds(): readonly UpdateKind[] {
    return this.#protocol.writeSteal === undefined ? ["full"] : ["full", "steal"];
  }

  /** Writes these updates, one after the other. @param first the number of the first */
  writer(first: number, updates: readonly UpdateKind[]): ThreadTrie {
    return kept(this.#writers, `${first}: ${updates.join()}`, () => {
      const code = (words: Int32Array): void => {
        for (const [index, kind] of updates.entries()) refusePromise(this.#write(words, first + index, kind));
      };
      return new ThreadTrie(this.#recorder, callOf(updates), code, updates.length * MAX_LOADS_A_TRY);
    });
  }

  /** Reads once. Its results are of type ReadResult. */
  reader(maxRetries: number): ThreadTrie {
    return kept(this.#readers, maxRetries, () => {
      const code = (words: Int32Array): ReadResult => this.#read(words, maxRetries);
      return new ThreadTrie(this.#recorder, "read()", code, (maxRetries + 1) * MAX_LOADS_A_TRY);
    });
  }

  /** Whether the protocol still does what it did, now that much else was called. @throws ProtocolFault when it does not */
  recheck(): void {
    for (const trie of [...this.#writers.values(), ...this.#readers.values()]) trie.recheck();
  }

  #write(words: Int32Array, update: number, kind: UpdateKind): unknown {
    if (kind === "full") return this.#protocol.write(words, payloadOf(update));
    return this.#protocol.writeSteal?.(words, stealOf(update));
  }

  #read(words: Int32Array, maxRetries: number): ReadResult {
    const out = new Int32Array(PAYLOAD_WORDS);
    const retries: unknown = this.#protocol.read(words, out, maxRetries);
    refusePromise(retries);
    if (typeof retries !== "number" || !Number.isInteger(retries) || retries < -1 || retries > maxRetries) {
      throw new ProtocolFault(
        `returned ${String(retries)}; accepted: the number of retries, 0 to ${maxRetries}, or -1 when it gave up`,
      );
    }
    const gaveUp = retries === -1;
    // A read that gave up accepted nothing: what an earlier one left is not to be looked at.
    const version = gaveUp ? null : (this.#protocol.acceptedVersion?.() ?? null);
    return { retries, gaveUp, out: [...out], version };
  }
}

function callOf(updates: readonly UpdateKind[]): CallName {
  if (!updates.includes("steal")) return "write()";
  return updates.includes("full") ? "write() or writeSteal()" : "writeSteal()";
}

/** What is async swallows even the explorer's own exception. */
function refusePromise(result: unknown): void {
  if (!(result instanceof Promise)) return;
  result.catch(() => {});
  throw new ProtocolFault("returned a promise; accepted: a plain function, not an async one");
}

function kept<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
