/** Accesses to a page by fields of 64 bits, each of which is one event to the explorer. All are atomic. @param word where it begins */
export interface FieldAccesses {
  load(word: number): bigint;
  store(word: number, value: bigint): void;
  and(word: number, operand: bigint): bigint;
  or(word: number, operand: bigint): bigint;
  xor(word: number, operand: bigint): bigint;
}

/** Where the recorder leaves them, beside what stands in for Atomics. */
export const FIELD_ACCESSES = Symbol.for("stealclock.fieldAccesses");

/** @throws Error outside the explorer, where there are none */
export function fieldAccesses(): FieldAccesses {
  const found: unknown = Reflect.get(Atomics, FIELD_ACCESSES);
  if (found === undefined) throw new Error("a modelled page is there in the explorer only");
  return found as FieldAccesses;
}
