import { type TrialPlan, Unavailable } from "../harness/trial.js";
import type { NativeProgram } from "./native-program.js";

/** Each row, and what of C it is set beside. */
const ROWS = [
  ["update-seqcst", null],
  ["update-linux", "update-seqcst"],
  ["read-seqcst", null],
  ["read-linux", "read-seqcst"],
  ["store64-seqcst", "update-seqcst"],
  ["kvmclock-read", "read-linux"],
] as const;

const NO_COMPILER = new Unavailable("no C compiler (cc, gcc, clang, or what CC names)");

/** The protocol in C11 atomics. @param program null without a compiler: the rows then say so */
export function nativePlans(program: NativeProgram | null): TrialPlan[] {
  return ROWS.map(([row, ratioTo]) => ({
    rows: [{ name: `native.${row}`, unit: "ns/op", ratioTo: ratioTo === null ? null : `native.${ratioTo}` }],
    open: async (effort) =>
      program === null ? NO_COMPILER : { round: async () => [await program.measure(row, effort)] },
  }));
}
