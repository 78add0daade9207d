import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { RandomStream } from "../../shared/random-stream.js";
import type { Ns } from "../../shared/units.js";

/** What a stream's numbers are for: streams of two purposes share nothing. */
const Purpose = { TickPhase: 0x7469_636b, Run: 0x0072_756e } as const;

type Generator = ReturnType<typeof xoroshiro128plus>;

const TWO_POW_21 = 2_097_152;
const TWO_POW_53 = 9_007_199_254_740_992;

class Xoroshiro implements RandomStream {
  readonly #generator: Generator;

  constructor(generator: Generator) {
    this.#generator = generator;
  }

  below(limit: number): number {
    const high = this.#generator.next() >>> 0;
    const low = this.#generator.next() >>> 11;
    return Math.floor(((high * TWO_POW_21 + low) / TWO_POW_53) * limit);
  }
}

/** A stream of its own for each of so many vCPUs. Those of the first ones do not depend on how many there are. */
export function vcpuStreams(seed: number, vcpuCount: number): RandomStream[] {
  return streams(seed, Purpose.Run, vcpuCount);
}

/** Where each vCPU's tick grid starts: anywhere in one tick. */
export function randomPhasesNs(seed: number, vcpuCount: number, tickNsec: Ns): Ns[] {
  return streams(seed, Purpose.TickPhase, vcpuCount).map((stream) => stream.below(tickNsec));
}

/** Stream n is 2^64 draws ahead of stream n - 1. The first is jumped to as well: a seed's own first draws are weak. */
function streams(seed: number, purpose: number, count: number): RandomStream[] {
  const generator = xoroshiro128plus(seed ^ purpose);
  return Array.from({ length: count }, () => {
    generator.jump();
    return new Xoroshiro(generator.clone());
  });
}
