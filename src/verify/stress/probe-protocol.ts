import { VERSION_WORD } from "../../shared/pvclock-page.js";
import { GAVE_UP } from "../../shared/version-protocol.js";
import { ProtocolFailed, textOf } from "../load-protocol.js";
import { PAYLOAD_WORDS, PROTOCOL_WORDS, type Protocol } from "../protocol.js";
import { fillUpdate, layFirstUpdate, leaveHalfWritten } from "./update-words.js";

/** Updates in a row that have to be read back before the hammering begins. */
const QUIET_UPDATES = 4;

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
    const returned = callGuarded("read", () => protocol.read(words, out, maxRetries));
    const retries = checkedRetries(returned, maxRetries);
    return retries !== GAVE_UP && out.every((word, index) => word === values[index]);
  };
  for (let update = 1; update <= QUIET_UPDATES; update++) {
    if (!readsBack(update)) {
      throw new ProtocolFailed("read() does not give back what write() wrote to a page that nobody else touches");
    }
    checkAcceptedVersion(protocol, words, update);
  }
  leaveHalfWritten(words, QUIET_UPDATES);
  return { repairs: readsBack(QUIET_UPDATES + 1) };
}

/** An accepted version is of use only where it tells the update: the n-th closes with 2n. */
function checkAcceptedVersion({ acceptedVersion }: Protocol, words: Int32Array, update: number): void {
  if (acceptedVersion === undefined) return;
  const version = callGuarded("acceptedVersion", () => acceptedVersion());
  const closing = words[VERSION_WORD];
  if (closing !== 2 * update) {
    throw new ProtocolFailed(
      `write() number ${update} leaves version ${closing}; accepted, with an acceptedVersion(): ` +
        "((version found + 1) | 1) + 1, so that a version tells the update",
    );
  }
  if (version === closing) return;
  throw new ProtocolFailed(`acceptedVersion() returned ${String(version)} for words read under version ${closing}`);
}

/** @throws ProtocolFailed unless it is what read() may return */
export function checkedRetries(returned: unknown, maxRetries: number): number {
  if (typeof returned === "number" && Number.isInteger(returned) && returned >= GAVE_UP && returned <= maxRetries) {
    return returned;
  }
  throw new ProtocolFailed(
    `read() returned ${String(returned)}; accepted: the number of retries, 0 to ${maxRetries}, or ${GAVE_UP} for ` +
      "gave up",
  );
}

/** Calls the protocol, and says which of its functions it was that threw. */
export function callGuarded<T>(name: keyof Protocol, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof ProtocolFailed) throw error;
    throw new ProtocolFailed(`${name}() threw ${textOf(error)}`);
  }
}
