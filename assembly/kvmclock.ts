/*
 * The guest's clock over a page's words: what src/guest/kvmclock.ts and src/guest/last-value.ts do in halves of 32 bits, with
 * the processor's own 64-bit arithmetic, and its compare and exchange.
 *
 * Addresses are bytes of the shared memory. `words` is scratch of the calling thread, and accesses to it are plain.
 */

/*
 * Compiled with MODEL defined, every access to what threads share is a function of a test's instead, which can let another
 * CPU in between any two of them.
 */
declare function modelLoad(address: usize): u64;
declare function modelCompareExchange(address: usize, expected: u64, replacement: u64): u64;

function load64(address: usize): u64 {
  return isDefined(MODEL) ? modelLoad(address) : atomic.load<u64>(address);
}

/** @returns what was found, which is `expected` where the replacement is there now */
function compareExchange64(address: usize, expected: u64, replacement: u64): u64 {
  return isDefined(MODEL)
    ? modelCompareExchange(address, expected, replacement)
    : atomic.cmpxchg<u64>(address, expected, replacement);
}

const PAGE_CHANGED: f64 = -1;

const TSC_TIMESTAMP: usize = 8;
const SYSTEM_TIME: usize = 16;
const TSC_TO_SYSTEM_MUL: usize = 24;
const TSC_SHIFT: usize = 28;
const FLAGS: usize = 29;
/** In the scratch behind the words of a read: what the last reading was before the guard. */
const RAW_NS: usize = 48;

const TSC_STABLE: u32 = 1;
const LOW_HALF: u64 = 0xffff_ffff;

/** (delta * mul) >> 32, modulo 2^64: the product has 96 bits. */
function scale(delta: u64, mul: u64): u64 {
  return (delta >> 32) * mul + (((delta & LOW_HALF) * mul) >> 32);
}

/**
 * Ns by the words that were read last and a TSC that was read since, raised to what any CPU was given before, as long as the
 * page is still the one that was read: __pvclock_read_cycles and pvclock_clocksource_read.
 *
 * @param page where the words were read
 * @param words the calling thread's scratch with the words
 * @param lastValue where the guard's value is
 * @returns PAGE_CHANGED when the page has another version by now
 */
export function kvmclockNs(page: usize, words: usize, cyclesLow: i32, cyclesHigh: i32, lastValue: usize): f64 {
  // The TSC was read before this load, and the page before the TSC: one version held all the while.
  if ((load64(page) as i32) !== load<i32>(words)) return PAGE_CHANGED;
  const cycles: u64 = ((cyclesHigh as u32 as u64) << 32) | (cyclesLow as u32 as u64);
  const timestamp = load<u64>(words + TSC_TIMESTAMP);
  const shift = load<i8>(words + TSC_SHIFT) as i64;
  // Below the page's stamp no time has passed since, where the kernel would jump ahead by 2^64 cycles.
  const delta: u64 = cycles < timestamp ? 0 : cycles - timestamp;
  const shifted = shift < 0 ? delta >> (-shift as u64) : delta << (shift as u64);
  const ns = load<u64>(words + SYSTEM_TIME) + scale(shifted, load<u32>(words + TSC_TO_SYSTEM_MUL) as u64);
  store<f64>(words + RAW_NS, ns as f64);
  if ((load<u8>(words + FLAGS) & TSC_STABLE) !== 0) return ns as f64;
  return raised(lastValue, ns) as f64;
}

/** The guard alone, where no page can be read. @returns ns, or the largest value given out on any CPU if that is more */
export function raiseLastValue(words: usize, lastValue: usize, ns: f64): f64 {
  const guarded = raised(lastValue, ns as u64) as f64;
  store<f64>(words + RAW_NS, guarded);
  return guarded;
}

/** Each turn but the last is lost to another CPU that raised the value, and so got on. */
function raised(lastValue: usize, ns: u64): u64 {
  let last = load64(lastValue);
  while (ns > last) {
    const found = compareExchange64(lastValue, last, ns);
    if (found === last) return ns;
    last = found;
  }
  return last;
}
