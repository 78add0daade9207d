/*
 * The version protocol in AssemblyScript: what src/shared/version-protocol.ts does, with the processor's own atomic
 * instructions, which V8 compiles in place where it calls a builtin for each of JavaScript's Atomics.
 *
 * All accesses to a page are atomic and sequentially consistent, so the reasons there hold here. But a page has fields of
 * 64 bits, and each is one access: accesses of unequal size never synchronise, so both sides keep to these.
 *
 *     byte  0  version u32, steal ms u32    one access: the head
 *     byte  8  tsc_timestamp                one
 *     byte 16  system_time                  one
 *     byte 24  tsc_to_system_mul            one of 32 bits
 *     byte 28  tsc_shift, flags, pad        one of 32 bits
 *     byte 32  steal_ns                     one, where the page has it
 *
 * Addresses are bytes of the shared memory. `values` and `out` are scratch of the calling thread, outside guest RAM, in
 * the page's own layout; accesses to them are plain.
 */

/*
 * Compiled with MODEL defined, every access to a page is a function of the explorer's instead: what ships is what is
 * verified. Such a module never touches a page.
 */
declare function modelLoad32(address: usize): i32;
declare function modelLoad64(address: usize): i64;
declare function modelStore32(address: usize, value: i32): void;
declare function modelStore64(address: usize, value: i64): void;
declare function modelAnd32(address: usize, operand: i32): i32;
declare function modelOr32(address: usize, operand: i32): i32;
declare function modelXor32(address: usize, operand: i32): i32;

function load32(address: usize): i32 {
  return isDefined(MODEL) ? modelLoad32(address) : atomic.load<i32>(address);
}

function load64(address: usize): i64 {
  return isDefined(MODEL) ? modelLoad64(address) : atomic.load<i64>(address);
}

function store32(address: usize, value: i32): void {
  if (isDefined(MODEL)) modelStore32(address, value);
  else atomic.store<i32>(address, value);
}

function store64(address: usize, value: i64): void {
  if (isDefined(MODEL)) modelStore64(address, value);
  else atomic.store<i64>(address, value);
}

function and32(address: usize, operand: i32): i32 {
  return isDefined(MODEL) ? modelAnd32(address, operand) : atomic.and<i32>(address, operand);
}

function or32(address: usize, operand: i32): i32 {
  return isDefined(MODEL) ? modelOr32(address, operand) : atomic.or<i32>(address, operand);
}

function xor32(address: usize, operand: i32): i32 {
  return isDefined(MODEL) ? modelXor32(address, operand) : atomic.xor<i32>(address, operand);
}

const GAVE_UP: i32 = -1;
const GUEST_STOPPED_MASK: i32 = 1 << 9;
const STEAL_MASK: i64 = 0xffff_ffff_0000_0000;

const TSC_TIMESTAMP: usize = 8;
const SYSTEM_TIME: usize = 16;
const TSC_TO_SYSTEM_MUL: usize = 24;
const SHIFT_AND_FLAGS: usize = 28;
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
  store32(page + TSC_TO_SYSTEM_MUL, load<i32>(values + TSC_TO_SYSTEM_MUL));
  // GUEST_STOPPED is the guest's to clear at any moment: the bits that differ are flipped, its own never.
  const differing = (load32(page + SHIFT_AND_FLAGS) ^ load<i32>(values + SHIFT_AND_FLAGS)) & ~GUEST_STOPPED_MASK;
  if (differing !== 0) xor32(page + SHIFT_AND_FLAGS, differing);
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

/** Reads one consistent update into `out`, which is all 0 after giving up. @returns the number of retries, or GAVE_UP */
export function readPage(page: usize, out: usize, bytes: i32, maxRetries: i32): i32 {
  for (let retries = 0; retries <= maxRetries; retries++) {
    const head = load64(page);
    if ((head & 1) !== 0) continue;
    const tscTimestamp = load64(page + TSC_TIMESTAMP);
    const systemTime = load64(page + SYSTEM_TIME);
    const tscToSystemMul = load32(page + TSC_TO_SYSTEM_MUL);
    const shiftAndFlags = load32(page + SHIFT_AND_FLAGS);
    const stealNs: i64 = bytes > PAGE_BYTES ? load64(page + STEAL_NS) : 0;
    // The steal in the head may have changed with the version only; so the whole of it is compared.
    if (load64(page) !== head) continue;
    store<i64>(out, head);
    store<i64>(out + TSC_TIMESTAMP, tscTimestamp);
    store<i64>(out + SYSTEM_TIME, systemTime);
    store<i32>(out + TSC_TO_SYSTEM_MUL, tscToSystemMul);
    store<i32>(out + SHIFT_AND_FLAGS, shiftAndFlags);
    if (bytes > PAGE_BYTES) store<i64>(out + STEAL_NS, stealNs);
    return retries;
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
  or32(page + SHIFT_AND_FLAGS, GUEST_STOPPED_MASK);
}

/** The guest takes note of having been stopped. @returns whether the bit was set */
export function clearGuestStopped(page: usize): bool {
  return (and32(page + SHIFT_AND_FLAGS, ~GUEST_STOPPED_MASK) & GUEST_STOPPED_MASK) !== 0;
}
