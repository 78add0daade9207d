import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** All the chance that goes into one scenario: the same seed, the same throws. */
export class Dice {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  /** @param seed 0 to 2^32 - 1 */
  constructor(seed: number) {
    this.#generator = xoroshiro128plus(scatter(seed));
    // A seed's own first draws are weak.
    this.#generator.jump();
  }

  /** An integer, both ends included. */
  between(least: number, most: number): number {
    return uniformInt(this.#generator, least, most);
  }

  /** True in so many of a hundred throws. */
  percent(percent: number): boolean {
    return this.between(1, 100) <= percent;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.between(0, choices.length - 1)];
  }

  /** One of several ways to make something. */
  oneOf<T>(...ways: readonly (() => T)[]): T {
    return this.pick(ways)();
  }

  /** Some of the numbers below a limit, at least one, in ascending order. */
  someBelow(limit: number): number[] {
    const sure = this.between(0, limit - 1);
    return Array.from({ length: limit }, (_, n) => n).filter((n) => n === sure || this.percent(40));
  }
}

/** Seeds that follow each other would draw much the same: a permutation of 32 bits takes them apart (murmur3's finalizer). */
function scatter(seed: number): number {
  let bits = Math.imul(seed ^ (seed >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}
