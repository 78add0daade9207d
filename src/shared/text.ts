/** A number and what it counts: "1 vCPU", "2 vCPUs", "3 stretches". */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`;
}
