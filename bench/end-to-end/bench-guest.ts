import { loadProtocolModule } from "../../src/backend/protocol-module.js";
import type { AccountingName, Hz } from "../../src/engine/scenario.js";
import { bootGuestCpu, guestMachineOf } from "../../src/guest/build-guest-cpu.js";
import type { GuestCpu } from "../../src/guest/guest-cpu.js";
import { guestRamBytes } from "../../src/guest/kernel-data.js";
import { KvmPlatform } from "../../src/host/kvm-platform.js";
import { PvclockPublisher } from "../../src/host/pvclock-publisher.js";
import type { Clock } from "../../src/shared/clock.js";
import { allocateMemory, protocolOf, ramOf } from "../../src/shared/machine-memory.js";
import { Tsc } from "../../src/shared/tsc.js";
import { NS_PER_SECOND, tickNsecOf } from "../../src/shared/units.js";
import { TSC_KHZ } from "../alternatives/alternative.js";

/** What would be two threads in the emulator. */
const THREADS = 2;
const GUEST = 0;
const HOST = 1;

/** A guest CPU with a hog, on a machine of one: its page was published once, and it has just entered. */
export function bootBenchGuest(accounting: AccountingName, hz: Hz, clock: Clock): GuestCpu {
  const memory = allocateMemory(guestRamBytes(1), THREADS, loadProtocolModule());
  const ram = ramOf(memory);
  const tsc = new Tsc(TSC_KHZ);
  const publisher = new PvclockPublisher(
    ram,
    1,
    {
      policy: "entry",
      offersSteal: true,
      nanoseconds: false,
      tsc,
      stealAtStartNs: 0,
      measuredNs: () => 0,
      auditOf: () => null,
      protocol: protocolOf(memory, HOST),
    },
    [],
  );
  const platform = new KvmPlatform(ram.byteLength, publisher);
  const machine = guestMachineOf({
    ram,
    protocol: protocolOf(memory, GUEST),
    cpuCount: 1,
    clock,
    tsc,
    auditOf: () => null,
    auditsEveryRead: false,
  });
  const hypercalls = {
    cpuid: platform.cpuid.bind(platform),
    writeMsr: (index: number, value: Parameters<KvmPlatform["writeMsr"]>[2]) =>
      platform.writeMsr(0, index, value, clock.nowNs()),
  };
  const guest = bootGuestCpu(machine, hypercalls, {
    id: 0,
    accounting,
    tickNsec: tickNsecOf(hz),
    watchdogMode: "steal-aware",
    watchdogThresholdNs: 20 * NS_PER_SECOND,
    watchdogPeriodNs: 4 * NS_PER_SECOND,
    workload: { kind: "hog" },
    gpa: null,
    hotplug: [],
    jitterPercent: 0,
  });
  guest.begin(clock.nowNs(), 0);
  guest.enter(clock.nowNs());
  return guest;
}
