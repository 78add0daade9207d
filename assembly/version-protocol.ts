/*
 * The version protocol in AssemblyScript: what src/shared/version-protocol.ts does, with the processor's own atomic
 * instructions, which V8 compiles in place where it calls a builtin for each of JavaScript's Atomics.
 *
 * All accesses to a page are atomic and sequentially consistent, so the reasons there hold here. But each is one of 64
 * bits: accesses of unequal size never synchronise, so both sides keep to these.
 *
 *     byte  0  version u32, steal ms u32                       the head
 *     byte  8  tsc_timestamp
 *     byte 16  system_time
 *     byte 24  tsc_to_system_mul u32, tsc_shift, flags, pad    the rate
 *     byte 32  steal_ns, where the page has it
 *
 * Addresses are bytes of the shared memory. `values` and `out` are scratch of the calling thread, outside guest RAM, in
 * the page's own layout; accesses to them are plain.
 */

/*
 * Compiled with MODEL defined, every access to a page is a function of the explorer's instead: what ships is what is
 * verified. Such a module never touches a page.
 */
declare function modelLoad(address: usize): i64;
declare function modelStore(address: usize, value: i64): void;
declare function modelAnd(address: usize, operand: i64): i64;
declare function modelOr(address: usize, operand: i64): i64;
declare function modelXor(address: usize, operand: i64): i64;

function load64(address: usize): i64 {
  return isDefined(MODEL) ? modelLoad(address) : atomic.load<i64>(address);
}

function store64(address: usize, value: i64): void {
  if (isDefined(MODEL)) modelStore(address, value);
  else atomic.store<i64>(address, value);
}

function and64(address: usize, operand: i64): i64 {
  return isDefined(MODEL) ? modelAnd(address, operand) : atomic.and<i64>(address, operand);
}

function or64(address: usize, operand: i64): i64 {
  return isDefined(MODEL) ? modelOr(address, operand) : atomic.or<i64>(address, operand);
}

function xor64(address: usize, operand: i64): i64 {
  return isDefined(MODEL) ? modelXor(address, operand) : atomic.xor<i64>(address, operand);
}

const GAVE_UP: i32 = -1;
/** In the rate: bit 1 of the flags. */
const GUEST_STOPPED_MASK: i64 = 1 << 41;
const STEAL_MASK: i64 = 0xffff_ffff_0000_0000;

const TSC_TIMESTAMP: usize = 8;
const SYSTEM_TIME: usize = 16;
const RATE: usize = 24;
const STEAL_NS: usize = 32;
const PAGE_BYTES: i32 = 32;

function headOf(version: i32, steal: i64): i64 {
  return steal | (version as u32 as i64);
}

/** The version with which the next update of a page will close. */
export function closingVersion(page: usize): i32 {
  return (((load64(page) as i32) + 1) | 1) + 1;
}

/**
 * Writes one update. The opening store keeps the steal that it finds; the closing one carries the new steal, so that a
 * reader has it from the very load whose version it compares.
 *
 * @returns the new, even version
 */
export function writePage(page: usize, values: usize, bytes: i32): i32 {
  const found = load64(page);
  const opening: i32 = ((found as i32) + 1) | 1;
  const closing: i32 = opening + 1;
  store64(page, headOf(opening, found & STEAL_MASK));
  store64(page + TSC_TIMESTAMP, load<i64>(values + TSC_TIMESTAMP));
  store64(page + SYSTEM_TIME, load<i64>(values + SYSTEM_TIME));
  // GUEST_STOPPED is the guest's to clear at any moment: the bits that differ are flipped, its own never.
  const differing = (load64(page + RATE) ^ load<i64>(values + RATE)) & ~GUEST_STOPPED_MASK;
  if (differing !== 0) xor64(page + RATE, differing);
  if (bytes > PAGE_BYTES) store64(page + STEAL_NS, load<i64>(values + STEAL_NS));
  store64(page, headOf(closing, load<i64>(values) & STEAL_MASK));
  return closing;
}

/**
 * Writes an update that changes the steal in ms alone, of a page that is whole: one store of version and steal together, which
 * needs no odd phase, since all other words are those of the update before.
 *
 * @returns the new, even version
 */
export function writeSteal(page: usize, stealMs: i32): i32 {
  const version: i32 = (load64(page) as i32) + 2;
  store64(page, headOf(version, (stealMs as i64) << 32));
  return version;
}

/** One look at the page. @returns whether what it found is one update, which is then in `out` */
function readOnce(page: usize, out: usize, bytes: i32): bool {
  const head = load64(page);
  if ((head & 1) !== 0) return false;
  const tscTimestamp = load64(page + TSC_TIMESTAMP);
  const systemTime = load64(page + SYSTEM_TIME);
  const rate = load64(page + RATE);
  const stealNs: i64 = bytes > PAGE_BYTES ? load64(page + STEAL_NS) : 0;
  // The steal in the head may have changed with the version only; so the whole of it is compared.
  if (load64(page) !== head) return false;
  store<i64>(out, head);
  store<i64>(out + TSC_TIMESTAMP, tscTimestamp);
  store<i64>(out + SYSTEM_TIME, systemTime);
  store<i64>(out + RATE, rate);
  if (bytes > PAGE_BYTES) store<i64>(out + STEAL_NS, stealNs);
  return true;
}

/** Reads one consistent update into `out`, which is all 0 after giving up. @returns the number of retries, or GAVE_UP */
export function readPage(page: usize, out: usize, bytes: i32, maxRetries: i32): i32 {
  // By itself, before the loop: V8 then takes a fifth less time for the read that needs no retry, as nearly all do.
  if (readOnce(page, out, bytes)) return 0;
  for (let retries = 1; retries <= maxRetries; retries++) {
    if (readOnce(page, out, bytes)) return retries;
  }
  for (let at = 0; at < bytes; at += 8) store<i64>(out + at, 0);
  return GAVE_UP;
}

/** Whether the page still carries this version. */
export function versionUnchanged(page: usize, version: i32): bool {
  return (load64(page) as i32) === version;
}

/** The host tells the guest that it was stopped. */
export function setGuestStopped(page: usize): void {
  or64(page + RATE, GUEST_STOPPED_MASK);
}

/** The guest takes note of having been stopped. @returns whether the bit was set */
export function clearGuestStopped(page: usize): bool {
  return (and64(page + RATE, ~GUEST_STOPPED_MASK) & GUEST_STOPPED_MASK) !== 0;
}
