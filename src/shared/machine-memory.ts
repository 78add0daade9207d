import { AtomicsProtocol, type PageProtocol } from "./page-protocol.js";
import { SCRATCH_BYTES, WasmProtocol, wasmMemory } from "./wasm-protocol.js";

/** A machine's memory, as its threads hand it to each other. */
export interface MachineMemory {
  readonly buffer: SharedArrayBuffer;
  /** Guest RAM is so many bytes from the start of it. What comes after is no guest's. */
  readonly ramBytes: number;
  /** What the protocol runs on when it is the WebAssembly one; null for Atomics. */
  readonly wasm: WasmParts | null;
}

interface WasmParts {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly scratchByte: number;
}

/**
 * @param threads that use the protocol
 * @param module the protocol's, compiled; null for Atomics
 */
export function allocateMemory(ramBytes: number, threads: number, module: WebAssembly.Module | null): MachineMemory {
  if (module === null) return { buffer: new SharedArrayBuffer(ramBytes), ramBytes, wasm: null };
  const { memory, scratchByte } = wasmMemory(ramBytes, threads);
  return { buffer: memory.buffer, ramBytes, wasm: { module, memory, scratchByte } };
}

export function ramOf({ buffer, ramBytes }: MachineMemory): Int32Array {
  return new Int32Array(buffer, 0, ramBytes / Int32Array.BYTES_PER_ELEMENT);
}

/** The protocol as a thread uses it. @param thread its number, from 0: its own for as long as it uses the protocol */
export function protocolOf(machine: MachineMemory, thread: number): PageProtocol {
  const { wasm } = machine;
  if (wasm === null) return new AtomicsProtocol(ramOf(machine));
  return new WasmProtocol(wasm.module, wasm.memory, wasm.scratchByte + thread * SCRATCH_BYTES);
}
