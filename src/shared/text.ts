/** A number and what it counts: "1 vCPU", "2 vCPUs". */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
