import { PAGE_WORDS, VERSION_WORD } from "../../shared/pvclock-page.js";
import { GAVE_UP } from "../../shared/version-protocol.js";
import { PAYLOAD_WORDS } from "../protocol.js";
import { SHIPPED } from "../protocols.js";
import { read, write } from "../shipped-protocol.js";
import { interruptAccess } from "./interrupt-access.js";
import type { FaultPhase, Spread, StressRun } from "./stress-run.js";
import { fillUpdate, isOneUpdate, layFirstUpdate } from "./update-words.js";
import { verdictOf } from "./verdict.js";

/** The reader falls asleep before this word: half of the payload is taken. */
const ASLEEP_BEFORE_WORD = 4;
/** After so many updates the 32-bit version, which grows by 2, is what it was. */
const UPDATES_TO_THE_SAME_VERSION = 2 ** 31;
const MAX_RETRIES = 3;

/** What a read came to that slept, half done, through so many updates. */
export interface SleptRead {
  readonly updates: number;
  readonly retries: number;
  readonly torn: boolean;
}

/**
 * Lets a read of the shipped protocol sleep through updates after half of its words. So many can't be waited for: the
 * version is placed where all but the last of them would have left it, and the last is written.
 *
 * @param updates at least 1
 */
export function readAsleepThrough(updates: number): SleptRead {
  const words = new Int32Array(new SharedArrayBuffer(PAGE_WORDS * Int32Array.BYTES_PER_ELEMENT));
  layFirstUpdate(words);
  const values = new Int32Array(PAYLOAD_WORDS);
  const out = new Int32Array(PAYLOAD_WORDS);
  const update = (number: number) => {
    fillUpdate(values, number);
    write(words, values);
  };
  update(1);
  const takeAway = interruptAccess("load", words, ASLEEP_BEFORE_WORD, () => {
    // Ordered against nothing: this thread is the only one that has the page.
    const version = Atomics.load(words, VERSION_WORD);
    Atomics.store(words, VERSION_WORD, (version + 2 * (updates - 1)) | 0);
    update(2);
  });
  try {
    const retries = read(words, out, MAX_RETRIES);
    return { updates, retries, torn: retries !== GAVE_UP && !isOneUpdate(out) };
  } finally {
    takeAway();
  }
}

/**
 * The limit of a 32-bit version: a read that slept through exactly 2^31 updates is fooled; through one more or one
 * less, it notices.
 */
export function showAbaLimit(): StressRun {
  const slept = [-1, 0, 1].map((more) => readAsleepThrough(UPDATES_TO_THE_SAME_VERSION + more));
  const none: Spread = { p50: 0, p99: 0, max: 0 };
  const retries = slept.map((one) => one.retries);
  const torn = slept.filter((one) => one.torn).length;
  return {
    protocol: SHIPPED.name,
    expected: "broken",
    readers: 1,
    pages: 1,
    updates: slept.length,
    reads: slept.length,
    retries: retries.reduce((sum, one) => sum + one, 0),
    retriesPerRead: { ...none, max: Math.max(...retries) },
    gaveUp: 0,
    oddSeen: 0,
    changedSeen: slept.length,
    torn,
    firstTearAtRead: torn === 0 ? null : slept.findIndex((one) => one.torn) + 1,
    durationNs: 0,
    updateNs: none,
    readNs: none,
    stoppedEarly: false,
    verdict: verdictOf({ expected: "broken", torn, provedSomething: true, repairs: true, stoppedEarly: false }),
    fault: { name: "aba", phases: slept.map(phaseOf) },
  };
}

function phaseOf(slept: SleptRead): FaultPhase {
  const torn = slept.torn ? 1 : 0;
  return { name: `asleep for ${slept.updates} updates`, updates: 1, reads: 1, accepted: 1, gaveUp: 0, torn };
}
