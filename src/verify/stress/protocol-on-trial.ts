import { loadProtocolModule } from "../../backend/protocol-module.js";
import { loadProtocol } from "../load-protocol.js";
import type { Protocol } from "../protocol.js";
import type { KnownProtocol } from "../protocols.js";
import { type InterruptAccess, interruptAccess } from "./interrupt-access.js";
import type { StressMemory } from "./stress-memory.js";
import { WasmOnTrial } from "./wasm-on-trial.js";

/** A protocol as one thread has it. */
export interface ProtocolOnTrial {
  readonly protocol: Protocol;
  /** Steps in between two of its accesses. */
  readonly interrupt: InterruptAccess;
}

/**
 * The module that has to be in the memory for a protocol; only the WebAssembly one divides a page into fields.
 *
 * @throws what loadProtocolModule() does
 */
export function moduleOf(layout: KnownProtocol["layout"]): WebAssembly.Module | null {
  return layout === "fields" ? loadProtocolModule() : null;
}

/**
 * @param file the protocol's module; not looked at where the memory has the WebAssembly one in it
 * @param slot the thread's
 * @throws ProtocolFailed when the module is not a protocol
 */
export async function protocolOnTrial(file: string, { ram }: StressMemory, slot: number): Promise<ProtocolOnTrial> {
  if (ram.wasm === null) return { protocol: await loadProtocol(file), interrupt: interruptAccess };
  const protocol = new WasmOnTrial(ram, slot);
  return { protocol, interrupt: protocol.interrupt };
}
