import assert from "node:assert/strict";
import { test } from "node:test";
import {
  PAGE_WORDS,
  PAGE_WORDS_NS,
  STEAL_NS_WORD,
  TSC_TIMESTAMP_WORD,
  VERSION_WORD,
} from "../src/shared/pvclock-page.js";
import { GAVE_UP, readPage, writePage } from "../src/shared/version-protocol.js";
import { checkUnderModel, DEFAULT_BOUNDS, type ModelFindings } from "../src/verify/check/check-under-model.js";
import { ProtocolThreads } from "../src/verify/check/protocol-threads.js";
import { FIELDS, type PageLayout, WORDS } from "../src/verify/explore/layout.js";
import { Recorder } from "../src/verify/explore/recorder.js";
import { modelledWasm } from "../src/verify/modelled-wasm.js";
import { MODELS } from "../src/verify/models/models.js";
import type { Protocol } from "../src/verify/protocol.js";
import { compileModel, PROTOCOL_SOURCE } from "./fixtures/compile-protocol.js";
import { type Mutant, mutated } from "./fixtures/protocol-mutants.js";
import { ALL_MODELS, whileRecorded } from "./verify-helpers.js";

/*
 * The page with the nanosecond extension, explored as verify explores the page without. The updates of a trial have the
 * words of that one, so what each has for steal_ns follows from its others: a read that finds anything else there has
 * accepted a mixture.
 */

/** What ships, over pages with the extension; the version is word 0 of what is written and read. */
interface Backend {
  write(words: Int32Array, values: Int32Array): void;
  /** @param out receives what was accepted @returns the number of retries, or GAVE_UP */
  read(words: Int32Array, out: Int32Array, maxRetries: number): number;
}

/** In a trial word w of update u is 10 u + w, and so it is here. */
function withStealNs(words: ArrayLike<number>): number[] {
  const page = Array.from(words).slice(0, PAGE_WORDS);
  for (let word = STEAL_NS_WORD; word < PAGE_WORDS_NS; word++) {
    page.push(page[TSC_TIMESTAMP_WORD] - TSC_TIMESTAMP_WORD + word);
  }
  return page;
}

/** A page on which a trial begins has no steal_ns yet; one that a writer left has. */
function extended(layout: PageLayout): PageLayout {
  return { ...layout, pack: (words) => layout.pack(words.length === PAGE_WORDS ? withStealNs(words) : words) };
}

/** No update has this in the last word of a trial. */
const NO_UPDATE = -1;

/** In the form of a trial. Without updates of the steal alone: a host that fills steal_ns makes none. */
function trialOf(backend: Backend): Protocol {
  const page = new Int32Array(PAGE_WORDS_NS);
  return {
    write: (words, values) => backend.write(words, Int32Array.from(withStealNs([0, ...values]))),
    read: (words, out, maxRetries) => {
      const retries = backend.read(words, page, maxRetries);
      out.set(page.subarray(1, PAGE_WORDS));
      const isWhole = withStealNs(page).every((word, index) => word === page[index]);
      if (retries !== GAVE_UP && !isWhole) out[out.length - 1] = NO_UPDATE;
      return retries;
    },
    acceptedVersion: () => page[VERSION_WORD],
  };
}

function exploreUnderAll(layout: PageLayout, open: () => Backend): ModelFindings[] {
  const recorder = new Recorder(PAGE_WORDS_NS, undefined, extended(layout));
  return whileRecorded(recorder, () => {
    const threads = new ProtocolThreads(recorder, trialOf(open()));
    const findings = ALL_MODELS.map((model) => checkUnderModel(threads, MODELS[model], DEFAULT_BOUNDS));
    threads.recheck();
    return findings;
  });
}

function byAtomics(): Backend {
  return {
    write: (words, values) => writePage(words, 0, values, PAGE_WORDS_NS, null),
    read: (words, out, maxRetries) => readPage(words, 0, out, PAGE_WORDS_NS, maxRetries),
  };
}

function byWasm(module?: WebAssembly.Module): Backend {
  const protocol = modelledWasm(module);
  return {
    write: (_words, values) => {
      protocol.values.set(values);
      protocol.write(0, PAGE_WORDS_NS, null);
    },
    read: (_words, out, maxRetries) => {
      const retries = protocol.read(0, PAGE_WORDS_NS, maxRetries);
      out.set(protocol.words);
      return retries;
    },
  };
}

function assertHolds(findings: readonly ModelFindings[]): void {
  const [{ executions, outcomes }] = findings;
  const same = { holds: true, executions, outcomes, counterexample: null };
  assert.deepEqual(
    findings,
    ALL_MODELS.map(() => same),
    "every access is atomic, so the models agree",
  );
}

for (const [name, layout, open] of [
  ["WebAssembly", FIELDS, byWasm],
  ["Atomics", WORDS, byAtomics],
] as const) {
  test(`with steal_ns the ${name} backend holds under every model`, () => {
    assertHolds(exploreUnderAll(layout, () => open()));
  });
}

const OPENING_STORE = "  store64(page, headOf(opening, found & STEAL_MASK));\n";
const CLOSING_STORE = "  store64(page, headOf(closing, load<i64>(values) & STEAL_MASK));\n";
const STEAL_NS_STORE = "  if (bytes > PAGE_BYTES) store64(page + STEAL_NS, load<i64>(values + STEAL_NS));\n";
/** Of words 1 to 7 all are one update's; what makes it a mixture is steal_ns. */
const OF_STEAL_NS = /^the read accepted a mixture: words 1-6 .*, word 7 of no update$/;

const MUTANTS: readonly Mutant[] = [
  {
    name: "steal_ns is stored before the opening, and again in its place",
    replaced: OPENING_STORE,
    by: STEAL_NS_STORE + OPENING_STORE,
    problem: OF_STEAL_NS,
  },
  {
    name: "steal_ns is stored after the closing",
    replaced: STEAL_NS_STORE + CLOSING_STORE,
    by: CLOSING_STORE + STEAL_NS_STORE,
    problem: OF_STEAL_NS,
  },
  {
    name: "the reader takes steal_ns once more for its result",
    replaced: "store<i64>(out + STEAL_NS, stealNs)",
    by: "store<i64>(out + STEAL_NS, load64(page + STEAL_NS))",
    problem: OF_STEAL_NS,
  },
];

for (const mutant of MUTANTS) {
  test(`with steal_ns a WebAssembly backend that is broken is found to be: ${mutant.name}`, async () => {
    const compiled = await compileModel(mutated(PROTOCOL_SOURCE, mutant));
    const module = new WebAssembly.Module(new Uint8Array(compiled.module));
    for (const { counterexample } of exploreUnderAll(FIELDS, () => byWasm(module))) {
      assert.match(counterexample?.problem ?? "holds", mutant.problem);
    }
  });
}
