import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The protocol's module, as the build made it. */
export function wasmModule(): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(join(__dirname, "../assembly/version-protocol.wasm")));
}
