import { loadProtocolModule } from "../../src/backend/protocol-module.js";
import { allocateMemory, type MachineMemory, protocolOf, ramOf } from "../../src/shared/machine-memory.js";
import type { PageProtocol } from "../../src/shared/page-protocol.js";
import { GUEST_PAGE_BYTES, PAGE_WORDS, STEAL_MS_WORD } from "../../src/shared/pvclock-page.js";
import { WasmProtocol } from "../../src/shared/wasm-protocol.js";
import type { Loop } from "../harness/loop.js";
import { type Alternative, payload } from "./alternative.js";

const MAX_RETRIES = 10_000;
const BASE = 0;

/** A page of its own in WebAssembly memory that holds one update, and the protocol over it. */
export function wasmPage(): { memory: MachineMemory; ram: Int32Array; protocol: PageProtocol } {
  const memory = allocateMemory(GUEST_PAGE_BYTES, 1, loadProtocolModule());
  const protocol = protocolOf(memory, 0);
  protocol.values.set(payload());
  protocol.write(BASE, PAGE_WORDS, null);
  return { memory, ram: ramOf(memory), protocol };
}

// The protocol's second backend: a WebAssembly module, whose atomic accesses are compiled in place, 64 bits at a time.
// Version and steal share one access, so that both come from one load.
export const WASM: Alternative = {
  name: "wasm",
  update() {
    const { protocol } = wasmPage();
    const { values } = protocol;
    return (count) => {
      let version = 0;
      for (let i = 0; i < count; i++) {
        values[STEAL_MS_WORD] = i;
        version = protocol.write(BASE, PAGE_WORDS, null);
      }
      return version;
    };
  },
  read() {
    const { protocol } = wasmPage();
    const { words } = protocol;
    return (count) => {
      let sum = 0;
      for (let i = 0; i < count; i++) {
        sum += protocol.read(BASE, PAGE_WORDS, MAX_RETRIES);
        for (let word = 0; word < PAGE_WORDS; word++) sum += words[word];
      }
      return sum;
    };
  },
};

/** An update that changes the steal alone: one store, without an odd phase. */
export function stealOnlyLoop(): Loop {
  const { protocol } = wasmPage();
  if (!(protocol instanceof WasmProtocol)) throw new Error("the module's protocol is not WebAssembly's");
  return (count) => {
    let version = 0;
    for (let i = 0; i < count; i++) version = protocol.writeSteal(BASE, i);
    return version;
  };
}
