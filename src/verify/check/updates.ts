import { payloadOf } from "./payload.js";

/** What an update changes: every word, by write(), or the steal alone, by writeSteal(). */
export type UpdateKind = "full" | "steal";

/** Index of the steal in a payload. */
const STEAL = 0;

/** So many updates in every way in which each can be of one of these kinds, all of the first kind first. */
export function patternsOf(updates: number, kinds: readonly UpdateKind[]): readonly (readonly UpdateKind[])[] {
  if (updates === 0) return [[]];
  const shorter = patternsOf(updates - 1, kinds);
  return kinds.flatMap((kind) => shorter.map((rest) => [kind, ...rest]));
}

/** The words of a page after each of these updates, and before: an update of the steal alone leaves the others as they were. */
export function payloadsAfter(updates: readonly UpdateKind[]): readonly Int32Array[] {
  const payloads = [payloadOf(0)];
  for (const [index, kind] of updates.entries()) {
    const own = payloadOf(index + 1);
    payloads.push(kind === "full" ? own : payloads[index].with(STEAL, own[STEAL]));
  }
  return payloads;
}

/** The steal that an update of it writes. */
export function stealOf(update: number): number {
  return payloadOf(update)[STEAL];
}

/** The numbers of those of these updates, counted from 1, that change the steal alone. */
export function stealOnlyOf(updates: readonly UpdateKind[]): number[] {
  return updates.flatMap((kind, index) => (kind === "steal" ? [index + 1] : []));
}

/** ", update 2 of the steal alone", ", updates 1 and 2 of the steal alone"; "" when there is none. */
export function stealOnlyText(stealOnly: readonly number[]): string {
  if (stealOnly.length === 0) return "";
  const numbers =
    stealOnly.length === 1 ? stealOnly.join() : `${stealOnly.slice(0, -1).join(", ")} and ${stealOnly.at(-1)}`;
  return `, ${stealOnly.length === 1 ? "update" : "updates"} ${numbers} of the steal alone`;
}
