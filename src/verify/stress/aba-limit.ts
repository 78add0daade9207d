import { VERSION_WORD } from "../../shared/pvclock-page.js";
import { GAVE_UP } from "../../shared/version-protocol.js";
import { PAYLOAD_WORDS } from "../protocol.js";
import type { KnownProtocol } from "../protocols.js";
import { moduleOf, type ProtocolOnTrial, protocolOnTrial } from "./protocol-on-trial.js";
import { createStressMemory, ownPageOf } from "./stress-memory.js";
import type { FaultPhase, Spread, StressRun } from "./stress-run.js";
import { fillUpdate } from "./update-words.js";
import { verdictOf } from "./verdict.js";

/** The reader falls asleep before this word: half of the payload is taken. */
const ASLEEP_BEFORE_WORD = 4;
/** After so many updates the 32-bit version, which grows by 2, is what it was. */
const UPDATES_TO_THE_SAME_VERSION = 2 ** 31;
const MAX_RETRIES = 3;

/** What a read sleeps through, half done. */
export interface Sleep {
  /** At least 1. */
  readonly updates: number;
  /** The last update has the steal of the one before the sleep: the vCPU was never out of guest. */
  readonly keepsSteal: boolean;
}

/** What became of such a read. */
export interface SleptRead {
  readonly sleep: Sleep;
  readonly retries: number;
  readonly torn: boolean;
}

/**
 * Lets a read of a shipped protocol sleep through updates after half of its words. So many can't be waited for: the version
 * is placed where all but the last of them would have left it, and the last is written.
 */
export async function readAsleepThrough({ file, layout }: KnownProtocol, sleep: Sleep): Promise<SleptRead> {
  const memory = createStressMemory(0, 1, moduleOf(layout));
  return sleepOn(await protocolOnTrial(file, memory, 0), ownPageOf(memory, 0), sleep);
}

function sleepOn({ protocol, interrupt }: ProtocolOnTrial, words: Int32Array, sleep: Sleep): SleptRead {
  const before = payloadOf(1);
  const after = payloadOf(2);
  if (sleep.keepsSteal) after[0] = before[0];
  protocol.write(words, before);
  const takeAway = interrupt("load", words, ASLEEP_BEFORE_WORD, () => {
    // Ordered against nothing: this thread is the only one that has the page.
    const version = Atomics.load(words, VERSION_WORD);
    Atomics.store(words, VERSION_WORD, (version + 2 * (sleep.updates - 1)) | 0);
    protocol.write(words, after);
  });
  try {
    const out = new Int32Array(PAYLOAD_WORDS);
    const retries = protocol.read(words, out, MAX_RETRIES);
    const isWhole = [before, after].some((values) => values.every((word, index) => word === out[index]));
    return { sleep, retries, torn: retries !== GAVE_UP && !isWhole };
  } finally {
    takeAway();
  }
}

function payloadOf(update: number): Int32Array {
  const values = new Int32Array(PAYLOAD_WORDS);
  fillUpdate(values, update);
  return values;
}

/**
 * The limit of a 32-bit version: a read that slept through exactly 2^31 updates is fooled; through one more or one less, it
 * notices. One that compares the steal along with the version notices a steal that changed, too.
 */
export async function showAbaLimit(protocol: KnownProtocol): Promise<StressRun> {
  const comparesSteal = protocol.layout === "fields";
  const sleeps = [-1, 0, 1].map((more) => ({ updates: UPDATES_TO_THE_SAME_VERSION + more, keepsSteal: comparesSteal }));
  if (comparesSteal) sleeps.push({ updates: UPDATES_TO_THE_SAME_VERSION, keepsSteal: false });
  const slept = await Promise.all(sleeps.map((sleep) => readAsleepThrough(protocol, sleep)));
  const none: Spread = { p50: 0, p99: 0, max: 0 };
  const retries = slept.map((one) => one.retries);
  const torn = slept.filter((one) => one.torn).length;
  return {
    protocol: protocol.name,
    expected: "broken",
    readers: 1,
    pages: 1,
    updates: slept.length,
    steals: null,
    reads: slept.length,
    retries: retries.reduce((sum, one) => sum + one, 0),
    retriesPerRead: { ...none, max: Math.max(...retries) },
    gaveUp: 0,
    oddSeen: 0,
    changedSeen: slept.length,
    stealsMet: null,
    torn,
    firstTearAtRead: torn === 0 ? null : slept.findIndex((one) => one.torn) + 1,
    durationNs: 0,
    updateNs: none,
    readNs: none,
    stoppedEarly: false,
    verdict: verdictOf({ expected: "broken", torn, provedSomething: true, repairs: true, stoppedEarly: false }),
    fault: { name: "aba", phases: slept.map((one) => phaseOf(one, comparesSteal)) },
  };
}

function phaseOf({ sleep, torn }: SleptRead, comparesSteal: boolean): FaultPhase {
  const after = comparesSteal ? `, steal ${sleep.keepsSteal ? "as it was" : "changed"}` : " updates";
  const name = `asleep for ${sleep.updates}${after}`;
  return { name, updates: 1, reads: 1, accepted: 1, gaveUp: 0, torn: torn ? 1 : 0 };
}
