import { defaultPvclockAddress } from "../guest/kernel-data.js";
import { GUEST_PAGE_BYTES } from "../shared/pvclock-page.js";
import type { Scenario } from "./scenario.js";

const GOLDEN = 0x9e37_79b9;

/**
 * What a guest finds in the memory of its page before it boots: zero, or junk whose every 64-byte line begins with an odd
 * version, as if a writer had died there.
 */
export function fillPageMemory(ram: Int32Array, { pageMemory, vcpus }: Scenario): void {
  if (pageMemory === "zero") return;
  const words = GUEST_PAGE_BYTES / 4;
  vcpus.forEach(({ gpa }, id) => {
    const address = gpa ?? defaultPvclockAddress(vcpus.length, id);
    const first = Math.floor(address / GUEST_PAGE_BYTES) * words;
    const last = Math.min(first + words, ram.length);
    for (let word = first; word < last; word++) {
      const junk = Math.imul(word + 1, GOLDEN) ^ (word << 7);
      ram[word] = word % 16 === 0 ? junk | 1 : junk;
    }
  });
}
