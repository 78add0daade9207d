import { U64 } from "../shared/u64.js";

const SEQUENCE = 0;
const LOCK = 1;
const COPIES = 2;
const WORDS_PER_COPY = 2;

/** The lock is held for some ten accesses; beyond this its holder was descheduled. */
const MAX_TRIES = 1_000;

/** Scratch of this thread. */
const CURRENT = new U64();
const LOOK = new U64();

/**
 * The largest clock value given out on any CPU: `last_value` of arch/x86/kernel/pvclock.c, which makes the clock
 * monotonic across CPUs whose pages were stamped at different instants.
 *
 * The kernel has a 64-bit compare and exchange. JavaScript has one for BigInt alone, which allocates. So this is a
 * latch: two copies, the sequence's lowest bit says which one is current, and the next value goes into the other.
 * Readers thus never wait for a writer, also for one that was descheduled halfway.
 */
export class LastValue {
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #current = CURRENT;
  readonly #look = LOOK;

  /** @param words guest RAM @param base index of 8 words, zero at boot */
  constructor(words: Int32Array, base: number) {
    this.#words = words;
    this.#base = base;
  }

  /**
   * Makes `value` at least every value given out before this call, and no later call's result less than it.
   *
   * Returns a value already given out, older than the caller's, when another CPU holds the lock for too long:
   * time stands still for a moment, but never goes back.
   *
   * @returns false when not even that could be read; value is then as it was
   */
  raise(value: U64): boolean {
    let known = false;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (!this.#read()) continue;
      known = true;
      if (!this.#current.lessThan(value)) {
        value.copy(this.#current);
        return true;
      }
      if (this.#tryRaise(value)) return true;
    }
    if (known) value.copy(this.#current);
    return known;
  }

  #tryRaise(value: U64): boolean {
    const { high, low } = value;
    // Acquires: no write below can be seen before the lock is ours. Without it two CPUs could fill one copy at once.
    if (Atomics.compareExchange(this.#words, this.#base + LOCK, 0, 1) !== 0) return false;
    const sequence = Atomics.load(this.#words, this.#base + SEQUENCE);
    this.#loadCopy(sequence, this.#current);
    if (this.#current.lessThan(value)) {
      const spare = this.#copyBase(sequence + 1);
      Atomics.store(this.#words, spare, high);
      Atomics.store(this.#words, spare + 1, low);
      // Releases the copy: a reader that sees this sequence sees both halves. ARM64 would otherwise show half a value.
      Atomics.store(this.#words, this.#base + SEQUENCE, (sequence + 1) | 0);
    } else {
      value.copy(this.#current);
    }
    Atomics.store(this.#words, this.#base + LOCK, 0);
    return true;
  }

  /**
   * Looks at the present value; a look that was disturbed leaves the last good one. The copy is reused only after the sequence
   * moved twice; once is harmless, but not told apart.
   */
  #read(): boolean {
    const sequence = Atomics.load(this.#words, this.#base + SEQUENCE);
    this.#loadCopy(sequence, this.#look);
    if (Atomics.load(this.#words, this.#base + SEQUENCE) !== sequence) return false;
    this.#current.copy(this.#look);
    return true;
  }

  #loadCopy(sequence: number, out: U64): void {
    const copy = this.#copyBase(sequence);
    out.set(Atomics.load(this.#words, copy), Atomics.load(this.#words, copy + 1));
  }

  #copyBase(sequence: number): number {
    return this.#base + COPIES + (sequence & 1) * WORDS_PER_COPY;
  }
}
