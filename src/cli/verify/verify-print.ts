import { count } from "../../shared/text.js";
import type { Bounds, Counterexample } from "../../verify/check/check-under-model.js";
import { stealOnlyText } from "../../verify/check/updates.js";
import type { ModelName } from "../../verify/models/model.js";
import type { KnownProtocol } from "../../verify/protocols.js";
import type { VerifyResult } from "../../verify/run/verify-protocol.js";
import { shortTime, wrap } from "../format.js";
import { timelineLines } from "./timeline-print.js";

/** A protocol and what was found of it, under each model that was asked for. */
export interface VerifiedProtocol {
  readonly protocol: KnownProtocol;
  readonly results: readonly VerifyResult[];
}

const HEADS = ["model", "executions", "outcomes", "time", ""];
/** Columns of words. */
const LEFT = [0, 4];

/**
 * Whether it came out as it has to: one that is right holds under every model, one that is broken fails under es, the
 * weakest. Where es was not asked for, nothing is expected of a broken one.
 */
export function isAsExpected({ protocol, results }: VerifiedProtocol): boolean {
  if (protocol.expected === "clean") return results.every(({ holds }) => holds);
  return results.every(({ model, holds }) => model !== "es" || !holds);
}

export function headLines({ updates, readers, maxRetries }: Bounds, width: number): string[] {
  const text =
    `Every execution of one writer with ${count(updates, "update")} and ${count(readers, "reader")}, ` +
    `at most ${count(maxRetries, "retry", "retries")}, over the 8 words of a page; of pages whose writer died; and of more ` +
    'retries, to see that they end. A protocol with writeSteal makes each update in both ways. Word w of update u is u * 10 + w. "not row n": a load that did not return the ' +
    "latest store above it.";
  return wrap(text, width);
}

/** The protocol's table, its counterexamples, each once, and what they mean. */
export function protocolLines(verified: VerifiedProtocol, width: number): string[] {
  const { protocol, results } = verified;
  const isClean = protocol.expected === "clean";
  const surprise = isAsExpected(verified)
    ? ""
    : isClean
      ? ", and does not"
      : ", and not found to be within these bounds";
  const title = `${protocol.name} (${isClean ? "has to hold" : "broken on purpose"}${surprise})`;
  const meaning = meaningOf(results);
  return [
    "",
    ...wrap(title, width),
    ...tableLines(results, width),
    ...counterexampleLines(results, width),
    ...(meaning === "" ? [] : indented(meaning, width)),
  ];
}

/** A row for each model; where that is too wide, a sentence for each. */
function tableLines(results: readonly VerifyResult[], width: number): string[] {
  const rows = results.map(({ model, executions, outcomes, durationNs, holds }) => [
    model,
    String(executions),
    String(outcomes),
    shortTime(durationNs),
    holds ? "holds" : "BROKEN",
  ]);
  const widths = HEADS.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column].length)));
  const lines = [HEADS, ...rows].map((cells) => {
    const padded = cells.map((cell, at) => (LEFT.includes(at) ? cell.padEnd(widths[at]) : cell.padStart(widths[at])));
    return `  ${padded.join("  ")}`.trimEnd();
  });
  if (lines.every((line) => line.length <= width)) return lines;
  return rows.flatMap(([model, executions, outcomes, time, verdict]) =>
    indented(`${model}: ${verdict}, ${executions} executions, ${outcomes} outcomes, ${time}`, width),
  );
}

function indented(text: string, width: number): string[] {
  return wrap(text, width - 2).map((line) => `  ${line}`);
}

function counterexampleLines(results: readonly VerifyResult[], width: number): string[] {
  const byText = new Map<string, { models: ModelName[]; example: Counterexample }>();
  for (const { model, counterexample } of results) {
    if (counterexample === null) continue;
    const key = JSON.stringify(counterexample);
    const known = byText.get(key);
    if (known === undefined) byText.set(key, { models: [model], example: counterexample });
    else known.models.push(model);
  }
  return [...byText.values()].flatMap(({ models, example }) => exampleLines(models, example, width));
}

function exampleLines(models: readonly ModelName[], example: Counterexample, width: number): string[] {
  const { problem, start, updates, stealOnly, maxRetries, rows } = example;
  const sentence = `${problem[0].toUpperCase()}${problem.slice(1)}.`;
  if (rows.length === 0) return indented(`Under ${models.join(", ")}: ${problem}.`, width);
  const size = `${start}, ${count(updates, "update")}${stealOnlyText(stealOnly)}, ${count(maxRetries, "retry", "retries")}`;
  return [
    ...indented(`Shortest counterexample under ${models.join(", ")} (${size}):`, width),
    ...timelineLines(example, width - 4).map((text) => `    ${text}`),
    ...indented(sentence, width),
  ];
}

/** What follows for machines, where models differ. */
function meaningOf(results: readonly VerifyResult[]): string {
  const holds = new Map(results.map((result) => [result.model, result.holds]));
  const sentences: string[] = [];
  if (holds.get("es") === false && (holds.get("sc") === true || holds.get("tso") === true)) {
    const kept = (["sc", "tso"] as const).filter((model) => holds.get(model) === true);
    sentences.push(
      `It holds under ${kept.join(" and ")}: it takes loads, or stores, that change places, and there they keep their order.`,
    );
  }
  if (holds.get("es") === false && holds.get("tso") === true && holds.get("arm") === false) {
    sentences.push("So x86 cannot show it, and an ARM64 machine may.");
  }
  if (holds.get("es") === false && holds.get("arm") === true) {
    sentences.push("ARM64 does not show it with what V8 emits; the language does not promise that.");
  }
  return sentences.join(" ");
}

/** "20 protocols: ..." @param planned how many there would be */
export function summaryLines(verified: readonly VerifiedProtocol[], planned: number, width: number): string[] {
  const surprises = verified.filter((one) => !isAsExpected(one)).map(({ protocol }) => protocol.name);
  const clean = verified.filter(({ protocol }) => protocol.expected === "clean").length;
  const found = verified.filter(({ results }) => results.some(({ holds }) => !holds)).length;
  const text =
    `${count(verified.length, "protocol")}: ${clean} had to hold, ${found} ${found === 1 ? "was" : "were"} found broken. ` +
    (surprises.length === 0 ? "All came out as they have to." : `Not as they have to: ${surprises.join(", ")}.`);
  const stopped = `Stopped: ${verified.length} of ${planned} protocols were explored. `;
  return ["", ...wrap(verified.length < planned ? stopped + text : text, width)];
}

/** The document of `--json`. */
export function verifyDocument(verified: readonly VerifiedProtocol[], isComplete: boolean): object {
  return {
    schema: "stealclock.verify/1",
    ok: isComplete && verified.every(isAsExpected),
    results: verified.flatMap(({ results }) => results),
  };
}
