import { GUEST_PAGE_BYTES, PVCLOCK_ALIGN_BYTES } from "../shared/pvclock-page.js";

/**
 * The guest kernel's own shared data, at the bottom of guest RAM: what its CPUs tell each other. The host never looks.
 *
 *     word  0 ..  7   the last clock value given out on any CPU: last-value.ts, or assembly/kvmclock.ts in the first two
 *     word 16 ..      each CPU's pvclock page as guest physical address, 0 while it has none: hv_clock of kvmclock.c
 */
export const LAST_VALUE_WORD = 0;
const PVCLOCK_TABLE_WORD = 16;

/** Bytes of guest RAM that the kernel's data takes, in whole pages. */
export function kernelDataBytes(cpuCount: number): number {
  const bytes = (PVCLOCK_TABLE_WORD + cpuCount) * 4;
  return Math.ceil(bytes / GUEST_PAGE_BYTES) * GUEST_PAGE_BYTES;
}

/**
 * In machines of up to so many CPUs each CPU's pvclock structure has a page to itself, which is easier to look at. In larger
 * ones they stand side by side, as in Linux (hv_clock, 64 to a page): ten thousand pages are more than a processor's TLB can
 * keep in mind, and every entry would miss it.
 */
const MAX_CPUS_WITH_A_PAGE_EACH = 256;
const SLOTS_PER_PAGE = GUEST_PAGE_BYTES / PVCLOCK_ALIGN_BYTES;

/** Guest RAM for a number of CPUs: the kernel's data, then the pages of their pvclock structures. */
export function guestRamBytes(cpuCount: number): number {
  const pages = cpuCount <= MAX_CPUS_WITH_A_PAGE_EACH ? cpuCount : Math.ceil(cpuCount / SLOTS_PER_PAGE);
  return kernelDataBytes(cpuCount) + pages * GUEST_PAGE_BYTES;
}

/** Where a CPU's pvclock structure is, unless it is told to use another place. */
export function defaultPvclockAddress(cpuCount: number, cpu: number): number {
  const first = kernelDataBytes(cpuCount);
  if (cpuCount > MAX_CPUS_WITH_A_PAGE_EACH) return first + cpu * PVCLOCK_ALIGN_BYTES;
  // At one offset in every page they would all share one set of the L1 cache.
  return first + cpu * GUEST_PAGE_BYTES + (cpu % SLOTS_PER_PAGE) * PVCLOCK_ALIGN_BYTES;
}

/** Announces a CPU's page to the others. */
export function publishPvclockAddress(ram: Int32Array, cpu: number, gpa: number): void {
  // A store-release that another CPU's load-acquire pairs with: it finds the address only once the page is registered.
  Atomics.store(ram, PVCLOCK_TABLE_WORD + cpu, gpa);
}

/** @returns the guest physical address of a CPU's page, or 0 */
export function pvclockAddressOf(ram: Int32Array, cpu: number): number {
  return Atomics.load(ram, PVCLOCK_TABLE_WORD + cpu);
}
