import { readFileSync } from "node:fs";
import { join } from "node:path";
import { WasmProtocol, wasmMemory } from "../shared/wasm-protocol.js";

/** Where the build puts the modules, from dist/src/backend. */
const FOLDER = join(__dirname, "../../assembly");

/** assembly/version-protocol.ts as it ships, and with every access to a page an import. */
export type ProtocolModuleName = "version-protocol" | "version-protocol-model";

/**
 * The protocol's WebAssembly module, compiled.
 *
 * @throws what the file system says when it isn't there; WebAssembly.CompileError when this V8 can't compile it
 */
export function loadProtocolModule(name: ProtocolModuleName = "version-protocol"): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(join(FOLDER, `${name}.wasm`)));
}

/**
 * The module that ships, after one trial instance over memory of its own.
 *
 * @throws what loadProtocolModule throws, what stands in the way of an instance, or StealclockError "unsupported" when there is no
 *   room for its memory
 */
export function usableProtocolModule(): WebAssembly.Module {
  const module = loadProtocolModule();
  const { memory, scratchByte } = wasmMemory(0, 1);
  new WasmProtocol(module, memory, scratchByte);
  return module;
}
