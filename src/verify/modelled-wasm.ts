import { loadProtocolModule } from "../backend/protocol-module.js";
import { PAGE_WORDS } from "../shared/pvclock-page.js";
import { WasmProtocol, wasmMemory } from "../shared/wasm-protocol.js";
import { fieldAccesses } from "./explore/field-accesses.js";

/**
 * The emulator's WebAssembly backend for the explorer: the very source, compiled with every access to a page an import, on
 * the explorer's page.
 *
 * @throws Error outside the explorer, which alone has those accesses
 */
export function modelledWasm(): WasmProtocol {
  const { load32, store32, and32, or32, xor32, load64, store64 } = fieldAccesses();
  const { memory, scratchByte } = wasmMemory(PAGE_WORDS * Int32Array.BYTES_PER_ELEMENT, 1);
  return new WasmProtocol(loadProtocolModule("version-protocol-model"), memory, scratchByte, {
    "version-protocol": {
      modelLoad32: (address: number) => load32(address / 4),
      modelStore32: (address: number, value: number) => store32(address / 4, value),
      modelAnd32: (address: number, operand: number) => and32(address / 4, operand),
      modelOr32: (address: number, operand: number) => or32(address / 4, operand),
      modelXor32: (address: number, operand: number) => xor32(address / 4, operand),
      modelLoad64: (address: number) => load64(address / 4),
      modelStore64: (address: number, value: bigint) => store64(address / 4, value),
    },
  });
}
