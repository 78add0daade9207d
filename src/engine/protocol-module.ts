import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ProtocolBackend } from "./result.js";

/** Where the build puts it, from dist/src/engine. */
const FILE = join(__dirname, "../../assembly/version-protocol.wasm");

/** The protocol's WebAssembly module; null when the backend is Atomics, which has none. */
export function protocolModule(backend: ProtocolBackend): WebAssembly.Module | null {
  return backend === "atomics" ? null : new WebAssembly.Module(readFileSync(FILE));
}
