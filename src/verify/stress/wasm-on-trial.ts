import { loadProtocolModule } from "../../backend/protocol-module.js";
import { type MachineMemory, protocolOf } from "../../shared/machine-memory.js";
import type { PageProtocol } from "../../shared/page-protocol.js";
import { PAGE_WORDS, VERSION_WORD } from "../../shared/pvclock-page.js";
import { SCRATCH_BYTES, WasmProtocol } from "../../shared/wasm-protocol.js";
import type { FieldAccesses } from "../explore/field-accesses.js";
import { modelImports } from "../modelled-wasm.js";
import type { Protocol } from "../protocol.js";
import type { InterruptAccess } from "./interrupt-access.js";

/**
 * The emulator's WebAssembly backend, in the form of a protocol file: the very module that ships, and nothing of its work
 * is done here. Pages must lie in the memory that it was made over.
 */
export class WasmOnTrial implements Protocol {
  readonly #ram: MachineMemory;
  readonly #thread: number;
  readonly #shipped: PageProtocol;
  /** What the next call is served by. */
  #inUse: PageProtocol;

  /** @param thread its number, as protocolOf() takes it */
  constructor(ram: MachineMemory, thread: number) {
    this.#ram = ram;
    this.#thread = thread;
    this.#shipped = protocolOf(ram, thread);
    this.#inUse = this.#shipped;
  }

  write(words: Int32Array, values: Int32Array): void {
    this.#inUse.values.set(values, 1);
    this.#inUse.write(indexOf(words), PAGE_WORDS, null);
  }

  writeSteal(words: Int32Array, stealMs: number): void {
    this.#inUse.writeSteal(indexOf(words), stealMs);
  }

  read(words: Int32Array, out: Int32Array, maxRetries: number): number {
    const retries = this.#inUse.read(indexOf(words), PAGE_WORDS, maxRetries);
    const accepted = this.#inUse.words;
    for (let word = 1; word < PAGE_WORDS; word++) out[word - 1] = accepted[word];
    return retries;
  }

  acceptedVersion(): number {
    return this.#inUse.words[VERSION_WORD];
  }

  /**
   * As interruptAccess() does it for Atomics. In the module that ships nobody can step between two accesses: until this
   * one has come, calls are served by the same source compiled with every access an import, made on the same memory.
   */
  readonly interrupt: InterruptAccess = (operation, words, index, intruder) => {
    const { wasm, buffer } = this.#ram;
    if (wasm === null) throw new Error("there is no WebAssembly protocol over this memory");
    const struckWord = indexOf(words) + index;
    const restore = () => {
      this.#inUse = this.#shipped;
    };
    const before = (made: "load" | "store", word: number): void => {
      if (made !== operation || word !== struckWord || this.#inUse === this.#shipped) return;
      restore();
      intruder();
    };
    // The same scratch: whichever of the two is asked has the same values and words.
    const scratchByte = wasm.scratchByte + this.#thread * SCRATCH_BYTES;
    const module = loadProtocolModule("version-protocol-model");
    this.#inUse = new WasmProtocol(module, wasm.memory, scratchByte, modelImports(watchedAccesses(buffer, before)));
    return restore;
  };
}

function indexOf(words: Int32Array): number {
  return words.byteOffset / Int32Array.BYTES_PER_ELEMENT;
}

/** On real memory: as atomic as the module's own, and of the same size. */
function watchedAccesses(
  buffer: SharedArrayBuffer,
  before: (made: "load" | "store", word: number) => void,
): FieldAccesses {
  const fields = new BigInt64Array(buffer);
  return {
    load: (word) => {
      before("load", word);
      return Atomics.load(fields, word / 2);
    },
    store: (word, value) => {
      before("store", word);
      Atomics.store(fields, word / 2, value);
    },
    and: (word, operand) => Atomics.and(fields, word / 2, operand),
    or: (word, operand) => Atomics.or(fields, word / 2, operand),
    xor: (word, operand) => Atomics.xor(fields, word / 2, operand),
  };
}
