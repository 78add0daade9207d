import { TWO_POW_32 } from "../../shared/units.js";
import { highOf, lowOf } from "./layout.js";

/** `atomic`: through Atomics, sequentially consistent. `plain`: by index, which ECMAScript calls unordered. */
export type AccessOrder = "atomic" | "plain";

export const RMW_OPERATIONS = ["add", "sub", "and", "or", "xor", "exchange", "compareExchange"] as const;
export type RmwOperation = (typeof RMW_OPERATIONS)[number];

/** One access of a thread to the page, as the code asks for it: what it will load is not known yet. */
export type Access =
  | { readonly kind: "load"; readonly order: AccessOrder; readonly location: number }
  | { readonly kind: "store"; readonly order: AccessOrder; readonly location: number; readonly value: number }
  | {
      readonly kind: "rmw";
      readonly order: "atomic";
      readonly location: number;
      readonly operation: RmwOperation;
      readonly operand: number;
      /** What compareExchange compares with; 0 for the others. */
      readonly expected: number;
    };

export type ReadAccess = Extract<Access, { kind: "load" | "rmw" }>;

/**
 * What a read-modify-write stores, given what it loaded; null for a compareExchange that failed, which is a load and
 * nothing more to other threads (ECMA-262 AtomicCompareExchangeInSharedBlock, and so CASAL).
 */
export function storedBy(access: ReadAccess, loaded: number): number | null {
  if (access.kind === "load") return null;
  const { operation, operand, expected } = access;
  switch (operation) {
    case "add":
      return (loaded + operand) | 0;
    case "sub":
      return (loaded - operand) | 0;
    case "and":
      return bitwise(loaded, operand, (a, b) => a & b);
    case "or":
      return bitwise(loaded, operand, (a, b) => a | b);
    case "xor":
      return bitwise(loaded, operand, (a, b) => a ^ b);
    case "exchange":
      return operand;
    case "compareExchange":
      return loaded === expected ? operand : null;
  }
}

/** By halves, since JavaScript's operators know 32 bits only: right for both sizes, as words and masks carry their sign along. */
function bitwise(a: number, b: number, operator: (a: number, b: number) => number): number {
  return operator(highOf(a), highOf(b)) * TWO_POW_32 + (operator(lowOf(a), lowOf(b)) >>> 0);
}

export function sameAccess(a: Access, b: Access): boolean {
  if (a.kind !== b.kind || a.order !== b.order || a.location !== b.location) return false;
  if (a.kind === "store" && b.kind === "store") return a.value === b.value;
  if (a.kind === "rmw" && b.kind === "rmw") {
    return a.operation === b.operation && a.operand === b.operand && a.expected === b.expected;
  }
  return true;
}
