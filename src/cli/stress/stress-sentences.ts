import { count } from "../../shared/text.js";
import { ALL_PROTOCOLS, SHIPPED_WASM } from "../../verify/protocols.js";
import type { Fault, StressRun } from "../../verify/stress/stress-run.js";
import type { JudgedRun } from "./judged-run.js";

/**
 * What the figures mean: what of the work was of the steal alone, what did not come out as it has to, what can't be seen on this machine, and the outcome.
 *
 * @param arch the processor's, as process.arch says it
 */
export function stressSentences(judged: readonly JudgedRun[], planned: number, arch: string = process.arch): string[] {
  return [
    ...judged.flatMap(stealSentence),
    ...judged.flatMap(troubleOf),
    ...faultSentences(judged),
    ...survivorSentences(judged, arch),
    ...unknownSentences(judged),
    outcome(judged, planned),
  ];
}

function troubleOf({ run, ok, killingModel }: JudgedRun): string[] {
  const { protocol, verdict, torn, reads, firstTearAtRead } = run;
  switch (verdict) {
    case "torn":
      if (ok) return [];
      return [
        `${protocol}: ${torn} torn values accepted in ${reads} reads, the first at read ${firstTearAtRead} of its ` +
          "reader.",
      ];
    case "proved nothing":
      return [
        `${protocol}: proved nothing: ${whatWasNotMet(run)}. A longer --duration, more --readers or fewer --pages ` +
          "help.",
      ];
    case "not repaired":
      return [
        `${protocol}: not repaired: a page that a writer left odd when it died stays odd after the next write().`,
      ];
    case "survived":
      return killingModel === null ? [`${protocol} is known to be broken, and nothing has killed it.`] : [];
    case "stopped":
      return [`${protocol}: stopped before it proved anything.`];
    case "clean":
      return [];
  }
}

function whatWasNotMet({ fault, oddSeen, changedSeen, gaveUp, retries, stealsMet }: StressRun): string {
  const metNothing = oddSeen + changedSeen + gaveUp + retries === 0;
  if (fault === null && !metNothing && stealsMet === 0) {
    return "no reader that met the writer at work accepted an update of the steal alone";
  }
  if (fault === null || metNothing) return "no reader met an odd version or a change in the middle of a read";
  return "not every reader met the fault and read on after it";
}

const FAULT_SENTENCES: Partial<Record<Fault, string>> = {
  "writer-stalls":
    "The writer stalled with the version odd and half of the words new. Readers gave up within their bound, none " +
    "accepted the half-written page, and they read on when it went on.",
  "writer-dies":
    "The writer died with the version odd and half of the words new. Readers gave up within their bound, none " +
    "accepted the half-written page, and the next writer repaired it.",
  aba:
    "The limit of a 32-bit version: a read that sleeps through exactly 2^31 updates finds the version it began with, " +
    "and accepts words of two updates. One more or one less is noticed. (Shown by placing the version.) At 1000 " +
    "updates a second such a sleep takes 24.8 days.",
};
const STEAL_SENTENCE =
  " This backend compares the steal along with the version: a sleep in which the steal grew is noticed all the same.";

/** What a fault has shown, where it came out as it has to. */
function faultSentences(judged: readonly JudgedRun[]): string[] {
  return judged.flatMap(({ run: { fault, protocol }, ok }) => {
    const sentence = fault === null ? undefined : FAULT_SENTENCES[fault.name];
    if (ok !== true || sentence === undefined) return [];
    return [fault?.name === "aba" && protocol === SHIPPED_WASM.name ? sentence + STEAL_SENTENCE : sentence];
  });
}

/** Why a run showed no tear where the model does: what is missing is an order that this processor keeps, or luck. */
function survivorSentences(judged: readonly JudgedRun[], arch: string): string[] {
  const killed = judged.flatMap(({ run, killingModel }) => (killingModel === null ? [] : [{ run, killingModel }]));
  const namesOf = (some: typeof killed) => some.map(({ run }) => run.protocol).join(", ");
  const inOrder = killed.filter(({ killingModel }) => TEARS_IN_ORDER.test(killingModel));
  const byOrder = killed.filter(({ killingModel }) => !TEARS_IN_ORDER.test(killingModel));
  const sentences: string[] = [];
  if (inOrder.length > 0) {
    sentences.push(`${namesOf(inOrder)}: no tear came up in so short a run; the model needs no reordering for one.`);
  }
  if (byOrder.length === 0) return sentences;
  const reason = X86.includes(arch)
    ? "what is missing is an order between accesses, and x86 keeps it unasked: loads stay in order among themselves, " +
      "and so do stores; V8 leaves these accesses where they stand. So no run on x86 can show the tear; a model can."
    : `what is missing is an order between accesses; this machine (${arch}) may break it, but did not in this run.`;
  return [...sentences, `${namesOf(byOrder)}: ${reason}`];
}

const X86 = ["x64", "ia32"];
/** Names of models that keep loads, and stores, in order. */
const TEARS_IN_ORDER = /\b(sc|x86|tso)\b/;

/** How much of a run was about updates of the steal alone, where the protocol has them. */
function stealSentence({ run: { protocol, updates, steals, stealsMet } }: JudgedRun): string[] {
  if (steals === null || stealsMet === null) return [];
  const met = `${count(stealsMet, "read")} that met the writer at work accepted such a one`;
  return [`${protocol}: ${steals} of ${count(updates, "update")} wrote the steal alone; ${met}.`];
}

/** A run proves nothing of an ordering that this processor keeps anyway. */
function unknownSentences(judged: readonly JudgedRun[]): string[] {
  return judged
    .filter(({ run, ok }) => ok === true && ALL_PROTOCOLS.every(({ name }) => name !== run.protocol))
    .map(
      ({ run }) =>
        "A run shows no ordering that is missing where the processor keeps it anyway, as x86 does: see stealclock verify " +
        `--protocol-file ${run.protocol}`,
    );
}

function outcome(judged: readonly JudgedRun[], planned: number): string {
  const bad = judged.filter(({ ok }) => ok === false).map(({ run }) => run.protocol);
  const done = judged.length < planned ? `Stopped: ${judged.length} of ${planned} protocols were run. ` : "";
  if (bad.length > 0) return `${done}NOT ok: ${bad.join(", ")}.`;
  const [first] = judged;
  if (planned > 1) return `${done}${done === "" ? "ok: " : ""}${count(judged.length, "protocol")} as known.`;
  if (first.ok === null) return "Nothing was proved.";
  const { reads, updates, torn, stoppedEarly } = first.run;
  const found = `${reads} reads beside ${count(updates, "update")}, ${torn} torn.`;
  return stoppedEarly ? `ok as far as it went, stopped early: ${found}` : `ok: ${found}`;
}
