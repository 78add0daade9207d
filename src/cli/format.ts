import { NS_PER_MS, NS_PER_SECOND, NS_PER_US, type Ns } from "../shared/units.js";

/** A share in percent with one decimal; "-" of nothing. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return "-";
  // Rounded first: a rounding error must not show as "-0.0".
  return (Math.round((part / whole) * 1000) / 10).toFixed(1);
}

/** Seconds in four digits, the more the longer: "1.502", "12.35", "86400". */
export function seconds(ns: Ns): string {
  const value = ns / NS_PER_SECOND;
  const decimals = [10, 100, 1000].filter((limit) => Math.abs(value) < limit).length;
  const scale = 10 ** decimals;
  return (Math.round(value * scale) / scale).toFixed(decimals);
}

/** A length of time in three digits or so: "350us", "4.02ms", "1.25s". */
export function shortTime(ns: Ns): string {
  const scale = [
    [NS_PER_SECOND, "s"],
    [NS_PER_MS, "ms"],
    [NS_PER_US, "us"],
  ] as const;
  const [unitNs, unit] = scale.find(([size]) => ns >= size) ?? [1, "ns"];
  const value = ns / unitNs;
  return `${value >= 100 || unit === "ns" ? Math.round(value) : value.toPrecision(3)}${unit}`;
}

/** A length of time to the nanosecond: "0.001831404s", "14m 30.4s", "1d 0h 0m 3s". @param ns not negative */
export function exactTime(ns: bigint): string {
  const nsPerSecond = BigInt(NS_PER_SECOND);
  const whole = ns / nsPerSecond;
  const parts = [
    [whole / 86_400n, "d"],
    [(whole / 3_600n) % 24n, "h"],
    [(whole / 60n) % 60n, "m"],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0n);
  const larger = first === -1 ? [] : parts.slice(first).map(([value, unit]) => `${value}${unit}`);
  const fraction = `${ns % nsPerSecond}`.padStart(9, "0").replace(/0+$/, "");
  return [...larger, `${whole % 60n}${fraction === "" ? "" : `.${fraction}`}s`].join(" ");
}

/** The sum, exact however many terms there are, then as near as a double comes. */
export function sum(values: Iterable<number>): number {
  let total = 0n;
  for (const value of values) total += BigInt(value);
  return Number(total);
}

/** Lines beside what stands left of the first of them. */
export function beside(lead: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => (index === 0 ? lead : " ".repeat(lead.length)) + line);
}

/** Breaks a sentence into lines of at most `width`, later ones indented. A word longer than a line is cut. */
export function wrap(text: string, width: number, indent = "  "): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    let rest = word;
    const joined = line === "" ? rest : `${line} ${rest}`;
    if (joined.length <= width) {
      line = joined;
      continue;
    }
    if (line.trim() !== "") lines.push(line);
    while (indent.length + rest.length > width && width > indent.length) {
      lines.push(indent + rest.slice(0, width - indent.length));
      rest = rest.slice(width - indent.length);
    }
    line = indent + rest;
  }
  return [...lines, line];
}
