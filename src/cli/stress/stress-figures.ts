const SCALES = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;
/** Below this a count is printed as it is. */
const SHORT = 10_000;

/** A count in three digits or so: "9999", "42.0k", "3.45M". */
export function shortCount(count: number): string {
  const [size, unit] = SCALES.find(([least]) => count >= least) ?? [1, ""];
  if (count < SHORT) return `${Math.round(count)}`;
  const value = count / size;
  return `${value >= 100 ? Math.round(value) : value.toPrecision(3)}${unit}`;
}
