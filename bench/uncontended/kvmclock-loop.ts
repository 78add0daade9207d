import { CpuState } from "../../src/guest/cpu-state.js";
import { Kvmclock } from "../../src/guest/kvmclock.js";
import { LastValue } from "../../src/guest/last-value.js";
import { PageReader } from "../../src/guest/page-reader.js";
import { PvclockInHalves } from "../../src/guest/pvclock-in-halves.js";
import { PvclockInWasm } from "../../src/guest/pvclock-in-wasm.js";
import { TscRegister } from "../../src/guest/tsc-register.js";
import { AtomicsProtocol, type PageProtocol } from "../../src/shared/page-protocol.js";
import { PAGE_WORDS } from "../../src/shared/pvclock-page.js";
import { Tsc } from "../../src/shared/tsc.js";
import { NS_PER_SECOND } from "../../src/shared/units.js";
import { WasmProtocol } from "../../src/shared/wasm-protocol.js";
import { TSC_KHZ, writtenPage } from "../alternatives/alternative.js";
import type { Loop } from "../harness/loop.js";

/** Between two readings. */
const STEP_NS = 100;
/** The guard's eight words, away from the page that it shares memory with. */
const LAST_VALUE_BASE = 64;

/** A page that was written, at the start of memory, and how it is read. */
interface PageToRead {
  readonly ram: Int32Array;
  readonly protocol: PageProtocol;
}

export function atomicsPage(): PageToRead {
  const ram = writtenPage();
  return { ram, protocol: new AtomicsProtocol(ram) };
}

/**
 * The guest's clock as it is shipped: a consistent read, the emulated TSC, 64-bit arithmetic in halves, and the guard that
 * keeps it from going back. The clock under the TSC is a counter, as reading a real one costs more than all the rest.
 */
export function kvmclockLoop({ ram, protocol }: PageToRead): Loop {
  const cpu = new CpuState(1);
  const page = { base: 0, audit: null };
  const now = new Float64Array([NS_PER_SECOND]);
  const clock = {
    nowNs: () => {
      now[0] += STEP_NS;
      return now[0];
    },
  };
  const arithmetic =
    protocol instanceof WasmProtocol
      ? new PvclockInWasm(protocol, LAST_VALUE_BASE)
      : new PvclockInHalves(protocol, new LastValue(ram, LAST_VALUE_BASE));
  const kvmclock = new Kvmclock(
    new PageReader(ram, PAGE_WORDS, cpu, false, protocol),
    new TscRegister(clock, new Tsc(TSC_KHZ)),
    arithmetic,
    cpu,
  );
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += kvmclock.readNs(page);
    return sum;
  };
}
