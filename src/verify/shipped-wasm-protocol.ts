import { PAGE_WORDS, VERSION_WORD } from "../shared/pvclock-page.js";
import { modelledWasm } from "./modelled-wasm.js";

/**
 * The emulator's other backend of the protocol, in the form of a protocol file for the explorer. Runs there only.
 */

const protocol = modelledWasm();

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
