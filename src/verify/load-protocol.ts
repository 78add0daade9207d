import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Protocol } from "./protocol.js";

/** A protocol that did what a protocol must not; the message says what, and goes on after the protocol's name. */
export class ProtocolFailed extends Error {}

const ACCEPTED =
  "accepted: a module that exports write(words, values), read(words, out, maxRetries) and, if it likes, acceptedVersion() and writeSteal(words, stealMs)";

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
  const { write, read, ...optional } = module;
  const missing = Object.entries({ write, read })
    .filter(([, value]) => typeof value !== "function")
    .map(([name, value]) => (value === undefined ? `exports no ${name}` : `its ${name} is not a function`));
  for (const name of ["writeSteal", "acceptedVersion"]) {
    if (optional[name] !== undefined && typeof optional[name] !== "function")
      missing.push(`its ${name} is not a function`);
  }
  if (missing.length > 0) throw new ProtocolFailed(`${missing.join(", and ")}; ${ACCEPTED}`);
  const { writeSteal, acceptedVersion } = optional;
  return {
    write,
    read,
    ...(writeSteal !== undefined && { writeSteal }),
    ...(acceptedVersion !== undefined && { acceptedVersion }),
  } as Protocol;
}

/** "TypeError: x is not a function (mine.mjs:12)", or what else was thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}${placeOf(error)}` : String(error);
}

/** Where in a module of the user's an error arose, as " (mine.mjs:12)"; "" when it did in none. */
export function placeOf(error: Error): string {
  const places = String(error.stack).matchAll(/(file:\/\/[^\s():]+):(\d+)/g);
  for (const [, url, line] of places) {
    if (!url.startsWith(OWN_MODULES)) return ` (${basename(fileURLToPath(url))}:${line})`;
  }
  return "";
}

/** The program's own modules. */
const OWN_MODULES = pathToFileURL(join(__dirname, "..")).href;
