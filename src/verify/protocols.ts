import { join, resolve } from "node:path";

/** A protocol that stress and verify know by name. */
export interface KnownProtocol {
  readonly name: string;
  /** Where its module is. */
  readonly file: string;
  /** What is known of it: the instruments are held against this. */
  readonly expected: "clean" | "broken";
}

const FOLDER = join(__dirname, "../../../protocols");

export const SHIPPED: KnownProtocol = {
  name: "shipped",
  file: join(__dirname, "shipped-protocol.js"),
  expected: "clean",
};

const BROKEN = [
  "no-version-check",
  "equality-only",
  "odd-test-only",
  "version-after-payload",
  "bumped-once-after",
  "bumped-once-before",
  "payload-before-odd",
  "one-word-before-odd",
  "one-word-after-even",
  "no-odd-phase",
  "even-from-odd",
  "halves-without-lock",
  "stale-copy-on-retry",
  "cached-closing-version",
  "plain-payload",
  "everything-plain",
  "plain-payload-rmw-check",
];

/** Right by the model, though its payload is plain. */
const CLEAN = ["plain-payload-rmw-both"];

/** In the order in which they are tried: what ships comes last. */
export const PROTOCOLS: readonly KnownProtocol[] = [
  ...BROKEN.map((name) => known(name, "broken")),
  ...CLEAN.map((name) => known(name, "clean")),
  SHIPPED,
];

function known(name: string, expected: KnownProtocol["expected"]): KnownProtocol {
  return { name, file: join(FOLDER, `${name}.mjs`), expected };
}

/** A protocol of the user's own: it is expected to be right. */
export function protocolOfFile(path: string): KnownProtocol {
  return { name: path, file: resolve(path), expected: "clean" };
}
