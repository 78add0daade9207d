import type { ProtocolBackend } from "../../src/engine/result.js";
import { CpuState } from "../../src/guest/cpu-state.js";
import { Kvmclock } from "../../src/guest/kvmclock.js";
import { LastValue } from "../../src/guest/last-value.js";
import { PageReader } from "../../src/guest/page-reader.js";
import { PvclockInHalves } from "../../src/guest/pvclock-in-halves.js";
import { PvclockInWasm } from "../../src/guest/pvclock-in-wasm.js";
import { TscRegister } from "../../src/guest/tsc-register.js";
import { AtomicsProtocol } from "../../src/shared/page-protocol.js";
import { PAGE_WORDS } from "../../src/shared/pvclock-page.js";
import { Tsc } from "../../src/shared/tsc.js";
import { NS_PER_SECOND } from "../../src/shared/units.js";
import { WasmProtocol } from "../../src/shared/wasm-protocol.js";
import { TSC_KHZ, writtenPage } from "../alternatives/alternative.js";
import { type ShippedPage, shippedPage } from "../alternatives/shipped-page.js";
import type { Loop } from "../harness/loop.js";

/** Between two readings. */
const STEP_NS = 100;
/** The guard's eight words, in the page but away from what was written there. */
const LAST_VALUE_OFFSET = 64;

function pageOf(backend: ProtocolBackend): ShippedPage {
  if (backend === "wasm") return shippedPage();
  const ram = writtenPage();
  return { ram, protocol: new AtomicsProtocol(ram), base: 0 };
}

/**
 * The guest's clock: a consistent read, the emulated TSC, 64-bit arithmetic, and the guard that keeps it from going back. The
 * clock under the TSC is a counter, as reading a real one costs more than all the rest.
 */
export function kvmclockLoop(backend: ProtocolBackend): Loop {
  const { ram, protocol, base } = pageOf(backend);
  const cpu = new CpuState(1);
  const page = { base, audit: null };
  const now = new Float64Array([NS_PER_SECOND]);
  const clock = {
    nowNs: () => {
      now[0] += STEP_NS;
      return now[0];
    },
  };
  const arithmetic =
    protocol instanceof WasmProtocol
      ? new PvclockInWasm(protocol, base + LAST_VALUE_OFFSET)
      : new PvclockInHalves(protocol, new LastValue(ram, base + LAST_VALUE_OFFSET));
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
