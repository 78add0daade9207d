import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { SHIPPED } from "../src/verify/protocols.js";
import { stress } from "../src/verify/stress/stress.js";
import type { StressOptions, StressProgress, StressRun } from "../src/verify/stress/stress-run.js";

/** No test waits for this: runs are ended by what they have come to. */
export const CAP_NS = 60_000_000_000;

export const STRESS_OPTIONS: StressOptions = {
  protocol: SHIPPED,
  readers: 1,
  pages: 1,
  durationNs: CAP_NS,
  maxRetries: 10_000,
};

/** Runs until it has come so far, however long that takes on a busy machine. */
export function stressUntil(
  isFar: (progress: StressProgress) => boolean,
  options: Partial<StressOptions> = {},
): Promise<StressRun> {
  const stop = new AbortController();
  const onProgress = (progress: StressProgress) => {
    if (isFar(progress)) stop.abort();
  };
  return stress({ ...STRESS_OPTIONS, ...options, signal: stop.signal, onProgress });
}

export const WRITE = `export function write(words, values) {
  const opening = (Atomics.load(words, 0) + 1) | 1;
  Atomics.store(words, 0, opening);
  for (let word = 1; word < 8; word++) Atomics.store(words, word, values[word - 1]);
  Atomics.store(words, 0, opening + 1);
}`;

/** @param onRead statements to begin each read with; `reads` counts them */
export const readWith = (onRead: string, onAccepted = "") => `let reads = 0;
export function read(words, out, maxRetries) {
  reads++;
  ${onRead}
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, 0);
    if ((version & 1) !== 0) continue;
    for (let word = 1; word < 8; word++) out[word - 1] = Atomics.load(words, word);
    if (Atomics.load(words, 0) !== version) continue;
    ${onAccepted}
    return retries;
  }
  return -1;
}`;

/** A protocol file that lasts as long as the test. @returns its path */
export function protocolFile(t: TestContext, source: string, name = "mine.mjs"): string {
  const folder = mkdtempSync(join(tmpdir(), "stealclock-stress-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, name);
  writeFileSync(file, source);
  return file;
}
