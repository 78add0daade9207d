import { protocolModule } from "../../engine/protocol-backend.js";
import { PROTOCOL_BACKENDS } from "../../engine/result.js";
import { StealclockError } from "../../shared/errors.js";
import { ALL_PROTOCOLS, type KnownProtocol, protocolOfFile, SHIPPED, SHIPPED_WASM } from "../../verify/protocols.js";
import { type GivenFlags, readFlag } from "../given-flags.js";
import { readInputFile } from "../input-file.js";
import { PROTOCOL_FILE } from "../protocol-file.js";
import { asChoice } from "../values.js";

/** Flags that say which protocols are run, of which one at most is given. */
const PROTOCOL_FLAGS = [
  ["protocol", "--protocol"],
  ["protocolBackend", "--protocol-backend"],
  ["protocolFile", "--protocol-file"],
  ["all", "--all"],
] as const;

const SHIPPED_NAMES: readonly string[] = [SHIPPED_WASM.name, SHIPPED.name];

/** @throws StealclockError "bad-input", naming two flags that contradict each other */
export function refuseTogether(given: GivenFlags): void {
  const selecting = PROTOCOL_FLAGS.filter(([name]) => given(name) !== undefined).map(([, flag]) => flag);
  if (selecting.length > 1) throw new StealclockError("bad-input", `${selecting.join(" and ")}: accepted: one of them`);
  if (given("fault") === undefined) return;
  const [flag] = selecting;
  const name = String(given("protocol"));
  const ships = flag === undefined || flag === "--protocol-backend" || SHIPPED_NAMES.includes(name);
  if (!ships) {
    const unfit = flag === "--protocol" ? `${flag} ${name}` : flag;
    throw new StealclockError(
      "bad-input",
      `--fault is done to a protocol that ships; accepted: no ${unfit} with it, but --protocol-backend wasm or atomics`,
    );
  }
  if (given("pages") !== undefined) {
    throw new StealclockError("bad-input", "--fault takes place on one page; accepted: no --pages with it");
  }
}

/**
 * In the order in which they are to be run.
 *
 * @param warn told when the WebAssembly backend can't be used, and so is not run
 * @throws StealclockError "bad-input", naming the flag and what is accepted; "unsupported" when that backend was asked for
 *   by name and can't be used
 */
export function selectProtocols(given: GivenFlags, warn: (message: string) => void): readonly KnownProtocol[] {
  const file = readFlag("--protocol-file", given("protocolFile"), String);
  if (file !== undefined) {
    readInputFile(file, PROTOCOL_FILE);
    return [protocolOfFile(file)];
  }
  const name = readFlag("--protocol", given("protocol"), (value) => asChoice(value, "a protocol", NAMES));
  const backend = readFlag("--protocol-backend", given("protocolBackend"), (value) =>
    asChoice(value, "a backend of the protocol", PROTOCOL_BACKENDS),
  );
  const found = ALL_PROTOCOLS.find((protocol) => protocol.name === name);
  if (found !== undefined && found !== SHIPPED_WASM) return [found];
  const wish = found === SHIPPED_WASM ? "wasm" : backend;
  // As emulate does it: what it can't use, it does without.
  const hasWasm = protocolModule(wish, ({ message }) => warn(message)) !== null;
  if (given("all") !== true) return [hasWasm ? SHIPPED_WASM : SHIPPED];
  return hasWasm ? ALL_PROTOCOLS : ALL_PROTOCOLS.filter((protocol) => protocol !== SHIPPED_WASM);
}

const NAMES = ALL_PROTOCOLS.map((protocol) => protocol.name);
