import { loadProtocolModule } from "../backend/protocol-module.js";
import { PAGE_WORDS_NS } from "../shared/pvclock-page.js";
import { WasmProtocol, wasmMemory } from "../shared/wasm-protocol.js";
import { type FieldAccesses, fieldAccesses } from "./explore/field-accesses.js";

/**
 * The emulator's WebAssembly backend for the explorer: the very source, compiled with every access to a page an import, on
 * the explorer's page.
 *
 * @throws Error outside the explorer, which alone has those accesses
 */
export function modelledWasm(module = loadProtocolModule("version-protocol-model")): WasmProtocol {
  const { memory, scratchByte } = wasmMemory(PAGE_WORDS_NS * Int32Array.BYTES_PER_ELEMENT, 1);
  return new WasmProtocol(module, memory, scratchByte, modelImports(fieldAccesses()));
}

/** What the module whose accesses are imports asks for. */
export function modelImports(fields: FieldAccesses) {
  return {
    "version-protocol": {
      modelLoad: (address: number) => fields.load(address / 4),
      modelStore: (address: number, value: bigint) => fields.store(address / 4, value),
      modelAnd: (address: number, operand: bigint) => fields.and(address / 4, operand),
      modelOr: (address: number, operand: bigint) => fields.or(address / 4, operand),
      modelXor: (address: number, operand: bigint) => fields.xor(address / 4, operand),
    },
  };
}
