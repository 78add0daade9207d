import { pathToFileURL } from "node:url";
import { GAVE_UP } from "../../shared/version-protocol.js";
import { PAYLOAD_WORDS, PROTOCOL_WORDS, type Protocol } from "../protocol.js";
import { fillUpdate, layFirstUpdate, leaveHalfWritten } from "./update-words.js";

/** A protocol that did what a protocol must not; the message says what, in the words of who wrote it. */
export class ProtocolFailed extends Error {}

const ACCEPTED =
  "accepted: a module that exports write(words, values), read(words, out, maxRetries) and, if it likes, acceptedVersion()";

/**
 * Imports a protocol's module.
 *
 * @throws ProtocolFailed when that fails, or an export is missing or of the wrong kind
 */
export async function loadProtocol(file: string): Promise<Protocol> {
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(file).href);
  } catch (error) {
    throw new ProtocolFailed(`cannot be loaded: ${textOf(error)}`);
  }
  const { write, read, acceptedVersion } = module;
  const missing = Object.entries({ write, read })
    .filter(([, value]) => typeof value !== "function")
    .map(([name, value]) => (value === undefined ? `exports no ${name}` : `its ${name} is not a function`));
  if (acceptedVersion !== undefined && typeof acceptedVersion !== "function") {
    missing.push("its acceptedVersion is not a function");
  }
  if (missing.length > 0) throw new ProtocolFailed(`${missing.join(", and ")}; ${ACCEPTED}`);
  return (acceptedVersion === undefined ? { write, read } : { write, read, acceptedVersion }) as Protocol;
}

/**
 * Tries a protocol on a page that nobody else touches: what was written has to be read back.
 *
 * @param onCall told before each call what is called
 * @returns whether write() also mends a page that it finds half written
 * @throws ProtocolFailed when an update is not read back, or a call throws
 */
export function probeProtocol(
  protocol: Protocol,
  maxRetries: number,
  onCall: (called: "write" | "read") => void,
): { readonly repairs: boolean } {
  const words = new Int32Array(new SharedArrayBuffer(PROTOCOL_WORDS * Int32Array.BYTES_PER_ELEMENT));
  layFirstUpdate(words);
  const values = new Int32Array(PAYLOAD_WORDS);
  const out = new Int32Array(PAYLOAD_WORDS);
  const readsBack = (update: number): boolean => {
    fillUpdate(values, update);
    onCall("write");
    callGuarded("write", () => protocol.write(words, values));
    out.fill(0);
    onCall("read");
    const retries = checkedRetries(
      callGuarded("read", () => protocol.read(words, out, maxRetries)),
      maxRetries,
    );
    return retries !== GAVE_UP && out.every((word, index) => word === values[index]);
  };
  for (const update of [1, 2, 3, 4]) {
    if (!readsBack(update)) {
      throw new ProtocolFailed("read() does not give back what write() wrote to a page that nobody else touches");
    }
  }
  leaveHalfWritten(words, 4);
  return { repairs: readsBack(5) };
}

/** @throws ProtocolFailed unless it is what read() may return */
export function checkedRetries(returned: unknown, maxRetries: number): number {
  if (typeof returned === "number" && Number.isInteger(returned) && returned >= GAVE_UP && returned <= maxRetries) {
    return returned;
  }
  throw new ProtocolFailed(
    `read() returned ${String(returned)}; accepted: the number of retries, 0 to ${maxRetries}, or ${GAVE_UP} for gave up`,
  );
}

/** Calls the protocol, and says which of its functions it was that threw. */
export function callGuarded<T>(name: "write" | "read", call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof ProtocolFailed) throw error;
    throw new ProtocolFailed(`${name}() threw ${textOf(error)}`);
  }
}

/** "TypeError: x is not a function", or what else was thrown. */
function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
