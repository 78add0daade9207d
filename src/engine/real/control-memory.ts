import { AUDIT_RING_WORDS, AuditRing } from "../../shared/audit-ring.js";

/**
 * The memory that the real driver's threads share besides guest RAM: one layout, known to both ends, in one place.
 *
 *     header      64 words   event counter, stop request, t0, the clock monitor's maximum
 *     per vCPU    64 words   its gate and its hypercall mailbox (a block each, so that no two vCPUs share a cache line)
 *     per vCPU   192 words   audit ring
 *     per vCPU    16 words   its figures for samples, under the version protocol
 */
const HEADER_WORDS = 64;
const BLOCK_WORDS = 64;
const FIGURES_WORDS = 16;

/** Words of the header. */
export const EVENT_COUNTER = 0;
export const STOP_REQUESTED = 1;
/** In doubles: words 8 to 11. */
const START_DOUBLE = 4;
const END_DOUBLE = 5;
/** In 64-bit integers: words 16 and 17. */
export const CLOCK_MAXIMUM_LONG = 8;

export class ControlMemory {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly longs: BigInt64Array;
  readonly #vcpuCount: number;

  constructor(buffer: SharedArrayBuffer, vcpuCount: number) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.longs = new BigInt64Array(buffer);
    this.#vcpuCount = vcpuCount;
  }

  static allocate(vcpuCount: number): ControlMemory {
    const words = HEADER_WORDS + vcpuCount * (BLOCK_WORDS + AUDIT_RING_WORDS + FIGURES_WORDS);
    return new ControlMemory(new SharedArrayBuffer(words * 4), vcpuCount);
  }

  /** Index of a vCPU's gate and mailbox block. */
  blockOf(vcpu: number): number {
    return HEADER_WORDS + vcpu * BLOCK_WORDS;
  }

  auditOf(vcpu: number): AuditRing {
    return new AuditRing(this.words, HEADER_WORDS + this.#vcpuCount * BLOCK_WORDS + vcpu * AUDIT_RING_WORDS);
  }

  figuresOf(vcpu: number): number {
    return HEADER_WORDS + this.#vcpuCount * (BLOCK_WORDS + AUDIT_RING_WORDS) + vcpu * FIGURES_WORDS;
  }

  /** t0, written before the first grant, whose gate orders it for every reader. */
  get startNs(): number {
    return this.doubles[START_DOUBLE];
  }

  set startNs(now: number) {
    this.doubles[START_DOUBLE] = now;
  }

  /** The end of the run, written before the gates shut down, which orders it the same way. */
  get endNs(): number {
    return this.doubles[END_DOUBLE];
  }

  set endNs(now: number) {
    this.doubles[END_DOUBLE] = now;
  }

  /** Wakes the hypervisor: something happened. */
  signal(): void {
    // After whatever was stored before: the hypervisor's load of the counter acquires it.
    Atomics.add(this.words, EVENT_COUNTER, 1);
    Atomics.notify(this.words, EVENT_COUNTER);
  }
}
