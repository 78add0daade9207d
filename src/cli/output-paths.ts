import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { StealclockError } from "../shared/errors.js";
import type { RunFlags } from "./run-flags.js";

/**
 * Makes sure that what a run is to write can be written, before it runs for an hour. Creates the folder of the pages.
 *
 * @throws StealclockError `bad-input`, naming the flag
 */
export function prepareOutputPaths({ dumpPages, events }: RunFlags): void {
  if (dumpPages !== undefined) {
    refuseUnless("--dump-pages", dumpPages, "a folder that can be written; it is created when missing", () => {
      createFolder(dumpPages);
      accessSync(dumpPages, constants.W_OK | constants.X_OK);
    });
  }
  if (events !== undefined) {
    refuseUnless("--events", events.file, "a file that can be written, in a folder that is there", () => {
      const found = statSync(events.file, { throwIfNoEntry: false });
      if (found?.isDirectory()) throw Object.assign(new Error("this is a folder"), { code: "EISDIR" });
      accessSync(found === undefined ? dirname(events.file) : events.file, constants.W_OK);
    });
  }
}

/** With all folders above it. mkdirSync's own way to do that never ends in /proc, where nothing can be created. */
function createFolder(path: string): void {
  const missing: string[] = [];
  let folder = resolve(path);
  while (statSync(folder, { throwIfNoEntry: false }) === undefined) {
    missing.push(folder);
    folder = dirname(folder);
  }
  // Of a path through a file, statSync says ENOTDIR itself, or nothing: versions of Node differ.
  const code = missing.length === 0 ? "EEXIST" : "ENOTDIR";
  if (!statSync(folder).isDirectory()) throw Object.assign(new Error("this is a file"), { code });
  for (const each of missing.reverse()) mkdirSync(each);
}

function refuseUnless(flag: string, path: string, accepted: string, attempt: () => void): void {
  try {
    attempt();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new StealclockError("bad-input", `${flag}: ${path}: ${reasonOf(code)}; accepted: ${accepted}`);
  }
}

function reasonOf(code: string): string {
  switch (code) {
    case "EEXIST":
      return "this is a file";
    case "ENOTDIR":
      return "a part of this path is a file";
    case "EISDIR":
      return "this is a folder";
    case "ENOENT":
      return "no such folder";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "not allowed to write it";
    default:
      return `cannot write it (${code})`;
  }
}
