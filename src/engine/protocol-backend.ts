import { usableProtocolModule } from "../backend/protocol-module.js";
import { StealclockError } from "../shared/errors.js";
import type { LogLine, ProtocolBackend } from "./result.js";

/**
 * What a run's pages are written and read by: the faster of the two unless one is named, and Atomics where the faster one can't
 * be used, which the log then says.
 *
 * @returns the compiled module, or null for Atomics, which have none
 * @throws StealclockError "unsupported" when the module was asked for by name and can't be used
 */
export function protocolModule(
  wish: ProtocolBackend | undefined,
  log: (line: LogLine) => void,
): WebAssembly.Module | null {
  if (wish === "atomics") return null;
  try {
    return usableProtocolModule();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (wish === "wasm") {
      throw new StealclockError(
        "unsupported",
        `the wasm protocol backend can't be used (${reason}); --protocol-backend atomics does without`,
      );
    }
    const message = "the wasm protocol backend can't be used; atomics are used instead";
    log({ level: "warn", part: "protocol", message, fields: { reason } });
    return null;
  }
}
