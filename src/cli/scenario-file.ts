import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from "yaml";
import { StealclockError } from "../shared/errors.js";
import { whyUnreadable } from "./input-file.js";
import { SCENARIO_FOLDER } from "./package-root.js";
import { pathText } from "./path-text.js";
import { refusePlaces } from "./placed-problem.js";
import type { Path, Settings } from "./scenario-schema.js";
import { parseSettings } from "./settings-parse.js";
import { didYouMean } from "./suggest.js";

/** Settings together with how to call the place of each, for messages. */
export interface SettingsSource {
  readonly settings: Settings;
  /** "hogs.yaml:3:8: vcpus" or "--vcpus". */
  readonly where: (path: Path) => string;
}

/**
 * Reads a scenario file.
 *
 * @param name a path, or the bare name of a shipped scenario
 * @throws StealclockError `bad-input`: file, line, column, what is wrong and what is accepted
 */
export function readScenarioFile(name: string): SettingsSource {
  const { text, path } = readScenarioText(name);
  return parseScenario(text, path);
}

/** The text of a scenario file, and where it lies. Finds it and throws as readScenarioFile does. */
export function readScenarioText(name: string): { readonly text: string; readonly path: string } {
  const path = findScenario(name);
  return { text: readText(path, name), path };
}

/** Parses the text of a scenario file; `file` is how messages call it. Throws as readScenarioFile does. */
export function parseScenario(text: string, file: string): SettingsSource {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true, logLevel: "error" });
  const at = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const syntaxErrors = [...document.errors, ...document.warnings];
  if (syntaxErrors.length > 0) {
    const lines = syntaxErrors.map(
      ({ pos, code, message }) =>
        `${at(pos[0])}: ${code === "MULTIPLE_DOCS" ? "a second document" : message}; accepted: one YAML document, each key once`,
    );
    throw new StealclockError("bad-input", lines.join("\n"));
  }
  if (!isMap(document.contents)) {
    const found = document.contents === null ? "nothing in it" : "not a map";
    throw new StealclockError("bad-input", `${at(0)}: ${found}; accepted: a map of settings, such as "vcpus: 2"`);
  }
  const { settings, refusals } = parseSettings(toPlain(document, at));
  refusePlaces(
    refusals.map(({ path, at: part, message }) => {
      const place = at(offsetOf(document, path, part));
      return { where: part === "key" ? place : `${place}: ${pathText(path)}`, message };
    }),
  );
  return { settings, where: (path) => `${at(offsetOf(document, path, "value"))}: ${pathText(path)}` };
}

/** The bare names of the shipped scenarios. */
export function shippedScenarios(): string[] {
  const files = readdirSync(SCENARIO_FOLDER).filter((file) => file.endsWith(".yaml"));
  return files.map((file) => basename(file, ".yaml")).sort();
}

function findScenario(name: string): string {
  if (/[/\\.]/.test(name)) return name;
  return shippedScenarios().includes(name) ? join(SCENARIO_FOLDER, `${name}.yaml`) : name;
}

function readText(path: string, name: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const shipped = shippedScenarios();
    const accepted = `a YAML file, or a shipped scenario, see stealclock scenarios list${didYouMean(name, shipped)}`;
    throw new StealclockError("bad-input", `${name}: ${whyUnreadable(error)}; accepted: ${accepted}`);
  }
}

function toPlain(document: Document.Parsed, at: (offset: number) => string): unknown {
  let unresolved: number | undefined;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined) unresolved ??= startOf(alias);
    },
  });
  try {
    return document.toJS();
  } catch (error) {
    // An alias without an anchor, or aliases that would grow without bound.
    const message = error instanceof Error ? error.message : String(error);
    throw new StealclockError("bad-input", `${at(unresolved ?? 0)}: ${message}; accepted: YAML whose aliases resolve`);
  }
}

/** Where in the text a setting stands: the deepest node on the way to it that there is. */
function offsetOf(document: Document.Parsed, path: Path, part: "key" | "value"): number {
  let place: Place = { node: document.contents, keyOffset: 0, offset: startOf(document.contents) ?? 0 };
  for (const step of path) {
    const next = stepInto(place, step);
    if (next === null) return place.offset;
    place = next;
  }
  return part === "key" ? place.keyOffset : place.offset;
}

interface Place {
  readonly node: unknown;
  /** Where the node's key starts, or the node itself in a list. */
  readonly keyOffset: number;
  /** Where the node starts, or its key when there is nothing behind it. */
  readonly offset: number;
}

function stepInto({ node, offset: parentOffset }: Place, step: string | number): Place | null {
  if (isSeq(node) && typeof step === "number") {
    const item = node.items[step];
    const offset = startOf(item) ?? parentOffset;
    return { node: item, keyOffset: offset, offset };
  }
  const pair = isMap(node)
    ? node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
    : undefined;
  if (pair === undefined) return null;
  const keyOffset = startOf(pair.key) ?? parentOffset;
  const isEmpty = isScalar(pair.value) && pair.value.value === null;
  return { node: pair.value, keyOffset, offset: isEmpty ? keyOffset : (startOf(pair.value) ?? keyOffset) };
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
