import { loadProtocolModule } from "../backend/protocol-module.js";
import { PAGE_WORDS, VERSION_WORD } from "../shared/pvclock-page.js";
import { WasmProtocol, wasmMemory } from "../shared/wasm-protocol.js";
import { type FieldAccesses, fieldAccesses } from "./explore/field-accesses.js";

/**
 * The emulator's other backend of the protocol, in the form of a protocol file for the explorer: the very source, compiled
 * with every access to a page an import. Runs in the explorer only, which has those accesses.
 */

function modelled({ load32, store32, and32, or32, xor32, load64, store64 }: FieldAccesses): WasmProtocol {
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

const protocol = modelled(fieldAccesses());

export function write(_words: Int32Array, values: Int32Array): void {
  protocol.values.set(values, 1);
  protocol.write(0, PAGE_WORDS, null);
}

export function writeSteal(_words: Int32Array, stealMs: number): void {
  protocol.writeSteal(0, stealMs);
}

export function read(_words: Int32Array, out: Int32Array, maxRetries: number): number {
  const retries = protocol.read(0, PAGE_WORDS, maxRetries);
  for (let word = 1; word < PAGE_WORDS; word++) out[word - 1] = protocol.words[word];
  return retries;
}

export function acceptedVersion(): number {
  return protocol.words[VERSION_WORD];
}
