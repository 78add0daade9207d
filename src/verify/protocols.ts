import { join, resolve } from "node:path";

/** A protocol that stress and verify know by name. */
export interface KnownProtocol {
  readonly name: string;
  /** Where its module is. */
  readonly file: string;
  /** What is known of it: the instruments are held against this. */
  readonly expected: "clean" | "broken";
  /** How it divides a page: into words, or into the pvclock page's fields of 64 bits. */
  readonly layout: "words" | "fields";
}

const FOLDER = join(__dirname, "../../../protocols");

export const SHIPPED: KnownProtocol = {
  name: "shipped",
  file: join(__dirname, "shipped-protocol.js"),
  expected: "clean",
  layout: "words",
};

/**
 * The other backend. Its file is for the explorer, which has the accesses that it imports; stress takes the module that ships.
 */
export const SHIPPED_WASM: KnownProtocol = {
  name: "shipped-wasm",
  file: join(__dirname, "shipped-wasm-protocol.js"),
  expected: "clean",
  layout: "fields",
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

/** Those that a module by itself is: all of them reach a page by the global Atomics. */
export const PROTOCOLS: readonly KnownProtocol[] = [
  ...BROKEN.map((name) => known(name, "broken")),
  ...CLEAN.map((name) => known(name, "clean")),
  SHIPPED,
];

/** In the order in which they are tried: what ships comes last. */
export const ALL_PROTOCOLS: readonly KnownProtocol[] = [...PROTOCOLS.slice(0, -1), SHIPPED_WASM, SHIPPED];

function known(name: string, expected: KnownProtocol["expected"]): KnownProtocol {
  return { name, file: join(FOLDER, `${name}.mjs`), expected, layout: "words" };
}

/** A protocol of the user's own: it is expected to be right. */
export function protocolOfFile(path: string): KnownProtocol {
  return { name: path, file: resolve(path), expected: "clean", layout: "words" };
}
