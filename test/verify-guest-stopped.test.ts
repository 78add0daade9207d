import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FLAG_GUEST_STOPPED,
  FLAG_STEAL_MS,
  FLAG_TSC_STABLE,
  GUEST_STOPPED_MASK,
  PAGE_WORDS,
  packShiftAndFlags,
  SHIFT_AND_FLAGS_WORD,
  TSC_TO_SYSTEM_MUL_WORD,
} from "../src/shared/pvclock-page.js";
import { clearGuestStopped, setGuestStopped, writePage } from "../src/shared/version-protocol.js";
import { runAlone } from "../src/verify/check/run-alone.js";
import type { Execution } from "../src/verify/explore/execution.js";
import { explore } from "../src/verify/explore/explorer.js";
import { fieldAccesses } from "../src/verify/explore/field-accesses.js";
import { FIELDS, highOf } from "../src/verify/explore/layout.js";
import type { Program, ProgramThread } from "../src/verify/explore/program.js";
import { Recorder } from "../src/verify/explore/recorder.js";
import { ThreadTrie } from "../src/verify/explore/thread-trie.js";
import { modelledWasm } from "../src/verify/modelled-wasm.js";
import type { ModelName } from "../src/verify/models/model.js";
import { MODELS } from "../src/verify/models/models.js";
import { ALL_MODELS, MAX_STEPS, recordAllAtomics, whileRecorded } from "./verify-helpers.js";

/*
 * GUEST_STOPPED is the one bit that the guest writes, in the middle of the hypervisor's updates. The functions that ship
 * run here, on a page that is not there.
 */

type ThreadCode = (words: Int32Array) => unknown;
type WriteUpdate = (words: Int32Array, values: Int32Array) => void;

/** What touches the bit, and the recorder over whose page it does. */
interface Backend {
  readonly name: string;
  readonly recorder: Recorder;
  readonly write: WriteUpdate;
  readonly setGuestStopped: (words: Int32Array) => void;
  readonly clearGuestStopped: (words: Int32Array) => boolean;
  readonly loadFlags: (words: Int32Array) => number;
  /** The location with the flags. */
  readonly flagsLocation: number;
  /** Shift and flags of what that location holds. */
  readonly flagsOf: (value: number) => number;
}

const ATOMICS: Backend = {
  name: "Atomics",
  recorder: recordAllAtomics(PAGE_WORDS),
  write: (words, values) => {
    writePage(words, 0, values, PAGE_WORDS, null);
  },
  setGuestStopped: (words) => setGuestStopped(words, 0),
  clearGuestStopped: (words) => clearGuestStopped(words, 0),
  loadFlags: (words) => Atomics.load(words, SHIFT_AND_FLAGS_WORD),
  flagsLocation: SHIFT_AND_FLAGS_WORD,
  flagsOf: (value) => value,
};

function wasmBackend(): Backend {
  const recorder = new Recorder(PAGE_WORDS, undefined, FIELDS);
  const { protocol, accesses } = whileRecorded(recorder, () => ({
    protocol: modelledWasm(),
    accesses: fieldAccesses(),
  }));
  return {
    name: "WebAssembly",
    recorder,
    write: (_words, values) => {
      protocol.values.set(values);
      protocol.write(0, PAGE_WORDS, null);
    },
    setGuestStopped: () => protocol.setGuestStopped(0),
    clearGuestStopped: () => protocol.clearGuestStopped(0),
    loadFlags: () => highOf(Number(accesses.load(TSC_TO_SYSTEM_MUL_WORD))),
    flagsLocation: TSC_TO_SYSTEM_MUL_WORD,
    flagsOf: highOf,
  };
}

const BACKENDS: readonly Backend[] = [ATOMICS, wasmBackend()];

/** Brings back what the guest cleared in between: the word as it was found, with the update's other bits, is stored. */
const loadsAndStores: WriteUpdate = (words, values) => {
  const found = Atomics.load(words, SHIFT_AND_FLAGS_WORD) & GUEST_STOPPED_MASK;
  Atomics.store(words, SHIFT_AND_FLAGS_WORD, (values[SHIFT_AND_FLAGS_WORD] & ~GUEST_STOPPED_MASK) | found);
};

/** Shift and flags of each update: the flags change from one to the next, and so does the shift. */
const FLAGS = [
  packShiftAndFlags(-1, FLAG_TSC_STABLE),
  packShiftAndFlags(-1, FLAG_TSC_STABLE | FLAG_STEAL_MS),
  packShiftAndFlags(5, FLAG_STEAL_MS),
] as const;

function valuesOf(update: number): Int32Array {
  return Int32Array.from({ length: PAGE_WORDS }, (_, word) =>
    word === SHIFT_AND_FLAGS_WORD ? FLAGS[update] : 10 * update + word,
  );
}

function threadOf({ recorder }: Backend, name: string, code: ThreadCode): ProgramThread {
  return { name, trie: new ThreadTrie(recorder, "write()", code, 64), storing: "anything", attempts: null };
}

/** What a piece of code makes of a page, by itself. */
function pageAfter(backend: Backend, code: ThreadCode, page: readonly number[]): readonly number[] {
  return runAlone(threadOf(backend, "alone", code).trie, page).memory;
}

const WHOLE_PAGE = [...valuesOf(0)].with(0, 0);
const STOPPED_PAGE = WHOLE_PAGE.with(SHIFT_AND_FLAGS_WORD, FLAGS[0] | GUEST_STOPPED_MASK);

function twoUpdates(write: WriteUpdate): ThreadCode {
  return (words) => {
    write(words, valuesOf(1));
    write(words, valuesOf(2));
  };
}

interface Seen {
  /** What clearGuestStopped returned. */
  readonly wasSet: boolean;
  /** The word when the guest looked at it once more. */
  readonly later: number;
}

function clearAndLook({ clearGuestStopped, loadFlags }: Backend): ThreadCode {
  return (words): Seen => ({ wasSet: clearGuestStopped(words), later: loadFlags(words) });
}

interface End extends Seen {
  /** What the word holds in the end. All stores to it are atomic, and so ordered under every model. */
  readonly last: number;
}

function endsOf(backend: Backend, model: ModelName, page: readonly number[], writer: ThreadCode): End[] {
  const program: Program = {
    initial: backend.recorder.layout.pack(page),
    threads: [threadOf(backend, "writer", writer), threadOf(backend, "guest", clearAndLook(backend))],
  };
  const ends: End[] = [];
  explore(program, MODELS[model], MAX_STEPS, ({ graph, outcomes }: Execution) => {
    const order = graph.coherence[backend.flagsLocation];
    assert.equal(order.length, graph.writes[backend.flagsLocation].length, "every store has its place");
    ends.push({ ...(outcomes[1]?.result as Seen), last: backend.flagsOf(graph.stored[order.at(-1) ?? 0]) });
  });
  return ends;
}

const isSet = (word: number): boolean => (word & GUEST_STOPPED_MASK) !== 0;

test("GUEST_STOPPED is one bit of the flags, and no update that is written here carries it", () => {
  assert.equal(GUEST_STOPPED_MASK, packShiftAndFlags(0, FLAG_GUEST_STOPPED));
  for (const flags of FLAGS) assert.equal(isSet(flags), false);
  for (const backend of BACKENDS) {
    const after = pageAfter(backend, backend.setGuestStopped, WHOLE_PAGE);
    assert.deepEqual(after, STOPPED_PAGE, "setGuestStopped sets the bit, and nothing else");
  }
});

for (const backend of BACKENDS) {
  const { write, setGuestStopped } = backend;
  for (const model of ALL_MODELS) {
    test(`${backend.name}, ${model}: updates never bring back GUEST_STOPPED once the guest has cleared it`, () => {
      const ends = endsOf(backend, model, STOPPED_PAGE, twoUpdates(write));
      assert.ok(ends.length >= 5, "the guest clears it before, between and after two read-modify-writes, at least");
      for (const { wasSet, later, last } of ends) {
        assert.equal(wasSet, true, "no update takes it away from the guest");
        assert.equal(isSet(later), false, "the guest does not find it again");
        assert.equal(last, FLAGS[2], "the word ends with the bits of the last update, and without GUEST_STOPPED");
      }
    });

    test(`${backend.name}, ${model}: GUEST_STOPPED set by the host in between is there in the end unless the guest found it`, () => {
      const ends = endsOf(backend, model, WHOLE_PAGE, (words) => {
        write(words, valuesOf(1));
        setGuestStopped(words);
        write(words, valuesOf(2));
      });
      for (const { wasSet, last } of ends) {
        assert.equal(last, wasSet ? FLAGS[2] : FLAGS[2] | GUEST_STOPPED_MASK);
      }
      assert.deepEqual(
        [true, false].map((wasSet) => ends.some((end) => end.wasSet === wasSet)),
        [true, true],
        "both ways happen",
      );
    });
  }

  test(`${backend.name}: an update on a quiet page leaves GUEST_STOPPED as it is, whatever the update says of it`, () => {
    for (const page of [WHOLE_PAGE, STOPPED_PAGE]) {
      for (const flags of [FLAGS[1], FLAGS[1] | GUEST_STOPPED_MASK]) {
        const values = valuesOf(1);
        values[SHIFT_AND_FLAGS_WORD] = flags;
        const word = pageAfter(backend, (words) => backend.write(words, values), page)[SHIFT_AND_FLAGS_WORD];
        assert.equal(word, FLAGS[1] | (page[SHIFT_AND_FLAGS_WORD] & GUEST_STOPPED_MASK));
      }
    }
  });
}

for (const model of ALL_MODELS) {
  test(`${model}: a writer that loads the word and stores it is found to bring GUEST_STOPPED back`, () => {
    const ends = endsOf(ATOMICS, model, STOPPED_PAGE, twoUpdates(loadsAndStores));
    assert.ok(ends.some(({ wasSet, last }) => wasSet && isSet(last)));
    assert.ok(
      ends.some(({ wasSet, later }) => wasSet && isSet(later)),
      "and the guest sees it",
    );
    for (const { last } of ends) assert.equal(last & ~GUEST_STOPPED_MASK, FLAGS[2], "the other bits are not at stake");
  });
}
