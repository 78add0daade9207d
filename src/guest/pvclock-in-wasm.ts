import type { U64 } from "../shared/u64.js";
import type { Ns } from "../shared/units.js";
import type { WasmProtocol } from "../shared/wasm-protocol.js";
import type { PvclockArithmetic } from "./pvclock-arithmetic.js";

/** The clock's arithmetic in WebAssembly, with integers of 64 bits: assembly/kvmclock.ts. Its guard is one word, as the kernel's. */
export class PvclockInWasm implements PvclockArithmetic {
  private readonly protocol: WasmProtocol;
  private readonly lastValueWord: number;

  /** @param lastValueWord where in guest RAM the guard's value is, as an index of words; even */
  constructor(protocol: WasmProtocol, lastValueWord: number) {
    this.protocol = protocol;
    this.lastValueWord = lastValueWord;
  }

  get rawNs(): Ns {
    return this.protocol.rawNs;
  }

  clockNs(base: number, cycles: U64): Ns {
    return this.protocol.clockNs(base, cycles, this.lastValueWord);
  }

  raise(ns: Ns): Ns {
    return this.protocol.raiseLastValue(this.lastValueWord, ns);
  }
}
