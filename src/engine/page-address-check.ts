import { defaultPvclockAddress, kernelDataBytes } from "../guest/kernel-data.js";
import type { Scenario } from "./scenario.js";

/**
 * Addresses that no guest could mean, by vCPU. Alignment and guest RAM's end are not looked at: those the host judges at run
 * time, as a real one does, and what follows is there to be seen.
 */
export function pageAddressProblems({ vcpus }: Scenario): Map<number, string> {
  const problems = new Map<number, string>();
  const owners = new Map<number, number>();
  const kernelBytes = kernelDataBytes(vcpus.length);
  vcpus.forEach(({ gpa }, id) => {
    const address = gpa ?? defaultPvclockAddress(vcpus.length, id);
    const owner = owners.get(address);
    owners.set(address, id);
    if (!Number.isSafeInteger(address) || address < 0) return;
    if (address % 2 !== 0) {
      problems.set(id, `page address ${address} is odd, and bit 0 of the MSR says "enable"; accepted: an even address`);
    } else if (address < kernelBytes) {
      problems.set(id, `page address ${address} is in the guest kernel's own data; accepted: ${kernelBytes} and above`);
    } else if (owner !== undefined) {
      problems.set(id, `page address ${address} is vCPU ${owner}'s page, too; accepted: an address of its own`);
    }
  });
  return problems;
}
