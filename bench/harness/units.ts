const MORE_IS_BETTER = /\/s$|^fairness$/;
/** Growth and Jain's index are the same on a machine twice as fast. Retries are not: they depend on who is faster than whom. */
const RATIOS: readonly string[] = ["x per doubling", "fairness"];

/** Whether more of a unit is better: of all others less is. */
export function isMoreBetter(unit: string): boolean {
  return MORE_IS_BETTER.test(unit);
}

/** Whether a figure is a ratio in itself, so that another run's can be set beside it as it is. */
export function isRatio(unit: string): boolean {
  return RATIOS.includes(unit);
}
