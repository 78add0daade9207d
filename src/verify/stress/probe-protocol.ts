import { VERSION_WORD } from "../../shared/pvclock-page.js";
import { GAVE_UP } from "../../shared/version-protocol.js";
import { ProtocolFailed, textOf } from "../load-protocol.js";
import { PAYLOAD_WORDS, type Protocol } from "../protocol.js";
import { fillUpdate, leaveHalfWritten, stealOf } from "./update-words.js";

/** Updates in a row that have to be read back before the hammering begins. */
const QUIET_UPDATES = 4;

/**
 * Tries a protocol on a page that nobody else touches: what was written has to be read back.
 *
 * @param words such a page, as it is at first
 * @param onCall told before each call what is called
 * @returns whether write() also mends a page that it finds half written
 * @throws ProtocolFailed when an update is not read back, or a call throws
 */
export function probeProtocol(
  protocol: Protocol,
  words: Int32Array,
  maxRetries: number,
  onCall: (called: "write" | "writeSteal" | "read") => void,
): { readonly repairs: boolean } {
  const values = new Int32Array(PAYLOAD_WORDS);
  const out = new Int32Array(PAYLOAD_WORDS);
  const accepts = (): boolean => {
    out.fill(0);
    onCall("read");
    const returned = callGuarded("read", () => protocol.read(words, out, maxRetries));
    return checkedRetries(returned, maxRetries) !== GAVE_UP;
  };
  const readsBack = (update: number): boolean => {
    fillUpdate(values, update);
    onCall("write");
    callGuarded("write", () => protocol.write(words, values));
    return accepts() && out.every((word, index) => word === values[index]);
  };
  for (let update = 1; update <= QUIET_UPDATES; update++) {
    if (!readsBack(update)) {
      throw new ProtocolFailed("read() does not give back what write() wrote to a page that nobody else touches");
    }
    checkAcceptedVersion(protocol, words, update);
  }
  if (protocol.writeSteal !== undefined) {
    // That it comes through. What it does to the version and to the other words is for the run to show.
    const steal = stealOf(QUIET_UPDATES, 1);
    onCall("writeSteal");
    callGuarded("writeSteal", () => protocol.writeSteal?.(words, steal));
    if (!accepts() || out[0] !== steal) {
      throw new ProtocolFailed(
        "read() does not give back the steal that writeSteal() wrote to a page that nobody else touches",
      );
    }
  }
  leaveHalfWritten(words, QUIET_UPDATES);
  return { repairs: readsBack(QUIET_UPDATES + 2) };
}

/** An accepted version is of use only where it tells the update: the n-th closes with 2n. */
function checkAcceptedVersion(protocol: Protocol, words: Int32Array, update: number): void {
  if (protocol.acceptedVersion === undefined) return;
  const version = callGuarded("acceptedVersion", () => protocol.acceptedVersion?.());
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

/** Calls the protocol, and says which of its functions it was that threw. @param name or what tells it when one did */
export function callGuarded<T>(name: keyof Protocol | (() => keyof Protocol), call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof ProtocolFailed) throw error;
    throw new ProtocolFailed(`${typeof name === "function" ? name() : name}() threw ${textOf(error)}`);
  }
}
