import { loadProtocolModule } from "../../src/backend/protocol-module.js";
import { defaultPvclockAddress, guestRamBytes } from "../../src/guest/kernel-data.js";
import { Ledger } from "../../src/host/ledger.js";
import { PvclockPublisher } from "../../src/host/pvclock-publisher.js";
import { allocateMemory, protocolOf, ramOf } from "../../src/shared/machine-memory.js";
import { Tsc } from "../../src/shared/tsc.js";
import { NS_PER_MS } from "../../src/shared/units.js";
import { TSC_KHZ } from "../alternatives/alternative.js";
import type { Loop } from "../harness/loop.js";

/** When pages are written: the publisher's rules, and the refreshes of running vCPUs that their host adds. */
export type Policy = "entry" | "pcpu-change" | "steal-entry" | "periodic";

/** One entry in eight is on another pCPU than the one before it. */
const ENTRIES_PER_MIGRATION_BITS = 3;
/** A period of 1 ms in slices of 4 ms. */
const REFRESHES_PER_ENTRY = 3;

/** What one entry of a vCPU costs its host for publishing alone. All vCPUs have a page and enter in turn. */
export function publishLoop(policy: Policy, vcpus: number): Loop {
  const memory = allocateMemory(guestRamBytes(vcpus), 1, loadProtocolModule());
  const ram = ramOf(memory);
  const ledger = new Ledger(vcpus);
  ledger.begin(0);
  const publisher = new PvclockPublisher(
    ram,
    vcpus,
    {
      policy,
      offersSteal: true,
      nanoseconds: false,
      tsc: new Tsc(TSC_KHZ),
      stealAtStartNs: 0,
      measuredNs: (vcpu) => ledger.of(vcpu).outOfGuestNs,
      auditOf: () => null,
      protocol: protocolOf(memory, 0),
    },
    [],
  );
  for (let vcpu = 0; vcpu < vcpus; vcpu++) publisher.register(vcpu, defaultPvclockAddress(vcpus, vcpu) >>> 2, 0);
  const refreshes = policy === "periodic" ? REFRESHES_PER_ENTRY : 0;
  const entriesOf = new Int32Array(vcpus);
  let lastVcpu = 0;
  let lastNow = 0;
  return (count) => {
    // Variables of the closure, were they changed in the loop, would be an allocation each time.
    let vcpu = lastVcpu;
    let now = lastNow;
    for (let entry = 0; entry < count; entry++) {
      vcpu = vcpu + 1 === vcpus ? 0 : vcpu + 1;
      now += NS_PER_MS;
      const migrations = entriesOf[vcpu]++ >> ENTRIES_PER_MIGRATION_BITS;
      publisher.schedIn(vcpu, migrations & 1, now);
      for (let refresh = 0; refresh < refreshes; refresh++) publisher.publish(vcpu, now);
    }
    lastVcpu = vcpu;
    lastNow = now;
    return now;
  };
}
