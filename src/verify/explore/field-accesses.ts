/** The explorer's accesses to a page by fields of 32 and of 64 bits, each of which is one event. All are atomic. */
export interface FieldAccesses {
  load32(word: number): number;
  store32(word: number, value: number): void;
  and32(word: number, operand: number): number;
  or32(word: number, operand: number): number;
  xor32(word: number, operand: number): number;
  load64(word: number): bigint;
  store64(word: number, value: bigint): void;
}

/** Where the recorder leaves them, beside what stands in for Atomics. */
export const FIELD_ACCESSES = Symbol.for("stealclock.fieldAccesses");

/** @throws Error outside the explorer, where there are none */
export function fieldAccesses(): FieldAccesses {
  const found: unknown = Reflect.get(Atomics, FIELD_ACCESSES);
  if (found === undefined) throw new Error("a modelled page is there in the explorer only");
  return found as FieldAccesses;
}
