import { closeSync, openSync, readSync } from "node:fs";
import { StealclockError } from "../shared/errors.js";

const CHUNK_BYTES = 65_536;

/** What a command takes from a file that the user names. */
export interface InputLimits {
  /** A file with more is refused, not cut off. */
  readonly maxBytes: number;
  /** What messages say is accepted. */
  readonly accepted: string;
}

/**
 * Reads a whole file, or what comes out of a pipe.
 *
 * @throws StealclockError `bad-input`: missing, a folder, not readable, empty, too large
 */
export function readInputFile(file: string, { maxBytes, accepted }: InputLimits): Buffer {
  const refuse = (reason: string): never => {
    throw new StealclockError("bad-input", `${file}: ${reason}; accepted: ${accepted}`);
  };
  let bytes: Buffer;
  try {
    bytes = readUpTo(file, maxBytes + 1);
  } catch (error) {
    return refuse(whyUnreadable(error));
  }
  if (bytes.length === 0) return refuse("the file is empty");
  if (bytes.length > maxBytes) return refuse(`more than ${maxBytes} bytes`);
  return bytes;
}

/** In chunks: a pipe or a device does not say how long it is, and may have no end. */
function readUpTo(file: string, maxBytes: number): Buffer {
  const descriptor = openSync(file, "r");
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; total < maxBytes; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, maxBytes - total));
      const length = readSync(descriptor, chunk);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
      total += length;
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(descriptor);
  }
}

/** Why a file could not be read, in the user's words. */
export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  switch (code) {
    case "ENOENT":
      return "no such file";
    case "EISDIR":
      return "this is a folder";
    case "EACCES":
      return "not allowed to read it";
    default:
      return `cannot read it (${code})`;
  }
}
