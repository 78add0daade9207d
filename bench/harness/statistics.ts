import { linearRegression, median as medianOf, quantileSorted } from "simple-statistics";

/** Of no values: null. */
export function median(values: readonly number[]): number | null {
  return values.length === 0 ? null : medianOf([...values]);
}

/** Where a row's samples lie. */
export interface Spread {
  readonly p99: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(samples: readonly number[]): Spread | null {
  if (samples.length === 0) return null;
  const sorted = [...samples].sort((a, b) => a - b);
  return { p99: quantileSorted(sorted, 0.99), min: sorted[0], max: sorted[sorted.length - 1] };
}

/** A range in which a true median lies with at least the confidence that was asked for, when there are values enough. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * A confidence interval of the median by order statistics: of n values the true median lies below the k-th smallest with
 * the chance that a fair coin shows heads fewer than k times in n throws. It assumes nothing of how the values spread.
 *
 * @returns null for fewer than six values, which give no 95 %
 */
export function medianInterval(values: readonly number[], confidence = 0.95): Interval | null {
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  const tail = (1 - confidence) / 2;
  let below = 0;
  let chance = 0.5 ** count;
  for (let heads = 0; below + chance <= tail; heads++) {
    below += chance;
    chance *= (count - heads) / (heads + 1);
    const next = below + chance;
    if (next > tail) return { low: sorted[heads], high: sorted[count - 1 - heads] };
  }
  return null;
}

/** How y grows as x doubles: the factor, from a straight line through the logarithms. */
export function growthPerDoubling(points: readonly { readonly x: number; readonly y: number }[]): number {
  const { m } = linearRegression(points.map(({ x, y }) => [Math.log2(x), Math.log2(y)]));
  return 2 ** m;
}

/** How evenly shares are spread: 1 when all are equal, 1/n when one has everything (Jain's index). */
export function fairness(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}
