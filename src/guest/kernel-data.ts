import { GUEST_PAGE_BYTES } from "../shared/pvclock-page.js";

/**
 * The guest kernel's own shared data, at the bottom of guest RAM: what its CPUs tell each other. The host never looks.
 *
 *     word  0 ..  7   the last clock value given out on any CPU (last-value.ts)
 *     word 16 ..      each CPU's pvclock page as guest physical address, 0 while it has none: hv_clock of kvmclock.c
 */
export const LAST_VALUE_WORD = 0;
const PVCLOCK_TABLE_WORD = 16;

/** Bytes of guest RAM that the kernel's data takes, in whole pages. */
export function kernelDataBytes(cpuCount: number): number {
  const bytes = (PVCLOCK_TABLE_WORD + cpuCount) * 4;
  return Math.ceil(bytes / GUEST_PAGE_BYTES) * GUEST_PAGE_BYTES;
}

/** Guest RAM for a number of CPUs: the kernel's data, then a page for each CPU's pvclock structure. */
export function guestRamBytes(cpuCount: number): number {
  return kernelDataBytes(cpuCount) + cpuCount * GUEST_PAGE_BYTES;
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
