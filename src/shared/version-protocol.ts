import type { AuditRing } from "./audit-ring.js";
import { GUEST_STOPPED_MASK, SHIFT_AND_FLAGS_WORD, STEAL_MS_WORD, VERSION_WORD } from "./pvclock-page.js";

/**
 * The version protocol of the pvclock page: a sequence lock with one writer, the hypervisor.
 *
 * Every access to shared words goes through Atomics, payload included, so the program has no data race and ECMAScript
 * gives it sequential consistency. What each ordering is for, and where it would break without it:
 *
 *   writer  version odd  -> payload       a reader must not take new words under the old even version. A plain
 *                                         payload store may pass an earlier store-release on ARM64; on x86 stores
 *                                         stay in order and nothing would show.
 *   writer  payload      -> version even  a reader that sees the new version must see all of its words. Any processor
 *                                         with weakly ordered stores (ARM64, POWER) would break it.
 *   reader  version      -> payload       or old words could be taken under a new version: ARM64, POWER.
 *   reader  payload      -> version again or words newer than the version could pass the check, since a plain load may
 *                                         sink below a later load-acquire: ARM64. Never seen on x86.
 *
 * The functions use the realm's Atomics by name and take (words, base): a model checker can put its own in their place.
 */

/** What readPage returns when the page was being written at every try. Not a number of retries. */
export const GAVE_UP = -1;

/**
 * Writes one update: kvm_write_guest_pvclock's three steps (arch/x86/kvm/x86.c).
 *
 * The opening version is (version + 1) | 1, stored once. A page found odd (junk at boot, a writer that died) thus stays
 * odd until its payload is whole; adding 1 would publish half a page as even.
 *
 * GUEST_STOPPED is the guest's to clear, at any moment, so its word is never stored: only the bits that differ are
 * flipped, in one read-modify-write. A load and a store would bring back a bit that the guest cleared in between.
 *
 * @param words guest RAM
 * @param base index of the version word
 * @param values the payload: values[i] goes to word i, from 1 to wordCount - 1; values[0] is not read
 * @param audit where the payload's hash is noted before the update can be accepted; null for none
 * @returns the new, even version
 */
export function writePage(
  words: Int32Array,
  base: number,
  values: Int32Array,
  wordCount: number,
  audit: AuditRing | null,
): number {
  const opening = (Atomics.load(words, base + VERSION_WORD) + 1) | 1 | 0;
  const closing = (opening + 1) | 0;
  Atomics.store(words, base + VERSION_WORD, opening);
  for (let word = 1; word < wordCount; word++) {
    if (word === SHIFT_AND_FLAGS_WORD) {
      const differing = Atomics.load(words, base + word) ^ values[word];
      Atomics.xor(words, base + word, differing & ~GUEST_STOPPED_MASK);
    } else {
      Atomics.store(words, base + word, values[word]);
    }
  }
  if (audit !== null) audit.record(closing, values, wordCount);
  Atomics.store(words, base + VERSION_WORD, closing);
  return closing;
}

/**
 * Writes an update that changes the steal in ms alone, of a page that is whole: the words of the update before stay. It has its
 * odd phase, as version and steal are two accesses here.
 *
 * @returns the new, even version
 */
export function writeSteal(words: Int32Array, base: number, stealMs: number): number {
  const found = Atomics.load(words, base + VERSION_WORD);
  const closing = (found + 2) | 0;
  Atomics.store(words, base + VERSION_WORD, (found + 1) | 0);
  Atomics.store(words, base + STEAL_MS_WORD, stealMs);
  Atomics.store(words, base + VERSION_WORD, closing);
  return closing;
}

/**
 * Reads one consistent update: pvclock_read_begin to pvclock_read_retry (arch/x86/include/asm/pvclock.h), but bounded.
 * The kernel's loop may spin for a whole host time slice when the writer is descheduled with the version odd.
 *
 * @param out the accepted words, out[VERSION_WORD] their version; all 0 after giving up
 * @param maxRetries how often to try again
 * @returns the number of retries, or GAVE_UP
 */
export function readPage(
  words: Int32Array,
  base: number,
  out: Int32Array,
  wordCount: number,
  maxRetries: number,
): number {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const version = Atomics.load(words, base + VERSION_WORD);
    if ((version & 1) !== 0) continue;
    for (let word = 1; word < wordCount; word++) out[word] = Atomics.load(words, base + word);
    if (Atomics.load(words, base + VERSION_WORD) === version) {
      out[VERSION_WORD] = version;
      return retries;
    }
  }
  out.fill(0, 0, wordCount);
  return GAVE_UP;
}

/** Whether the page still carries this version: closes a section that began with readPage and went on to read a TSC. */
export function versionUnchanged(words: Int32Array, base: number, version: number): boolean {
  return Atomics.load(words, base + VERSION_WORD) === version;
}

/** The host tells the guest that it was stopped (KVM_KVMCLOCK_CTRL). */
export function setGuestStopped(words: Int32Array, base: number): void {
  Atomics.or(words, base + SHIFT_AND_FLAGS_WORD, GUEST_STOPPED_MASK);
}

/** The guest takes note of having been stopped (pvclock_touch_watchdogs). @returns whether the bit was set */
export function clearGuestStopped(words: Int32Array, base: number): boolean {
  return (Atomics.and(words, base + SHIFT_AND_FLAGS_WORD, ~GUEST_STOPPED_MASK) & GUEST_STOPPED_MASK) !== 0;
}
