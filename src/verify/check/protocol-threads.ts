import { ProtocolFault } from "../explore/protocol-fault.js";
import type { Recorder } from "../explore/recorder.js";
import { ThreadTrie } from "../explore/thread-trie.js";
import { PAYLOAD_WORDS, type Protocol } from "../protocol.js";
import { payloadOf } from "./payload.js";

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

  /** Writes these updates, one after the other. */
  writer(firstUpdate: number, updates: number): ThreadTrie {
    return kept(this.#writers, `${firstUpdate}+${updates}`, () => {
      const code = (words: Int32Array): void => {
        for (let update = firstUpdate; update < firstUpdate + updates; update++) {
          refusePromise(this.#protocol.write(words, payloadOf(update)));
        }
      };
      return new ThreadTrie(this.#recorder, "write()", code, updates * MAX_LOADS_A_TRY);
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

  #read(words: Int32Array, maxRetries: number): ReadResult {
    const out = new Int32Array(PAYLOAD_WORDS);
    const retries: unknown = this.#protocol.read(words, out, maxRetries);
    refusePromise(retries);
    if (typeof retries !== "number" || !Number.isInteger(retries) || retries < -1 || retries > maxRetries) {
      throw new ProtocolFault(
        `returned ${String(retries)}; accepted: the number of retries, 0 to ${maxRetries}, or -1 when it gave up`,
      );
    }
    const version = this.#protocol.acceptedVersion?.() ?? null;
    return { retries, gaveUp: retries === -1, out: [...out], version };
  }
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
