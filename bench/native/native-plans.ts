import type { Shape } from "../contended/shapes.js";
import { type Effort, type RowSpec, type TrialPlan, Unavailable } from "../harness/trial.js";
import type { NativeContention, NativeLayout, NativeProgram } from "./native-program.js";

/** Each row, and what of C it is set beside. */
const ROWS = [
  ["update-seqcst", null],
  ["update-linux", "update-seqcst"],
  ["update-fields", "update-seqcst"],
  ["read-seqcst", null],
  ["read-linux", "read-seqcst"],
  ["read-fields", "read-seqcst"],
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

/** A kind of figure that threads in C have. */
interface ContendedFigure {
  readonly name: string;
  readonly unit: string;
  /** The shape whose figure this is divided by. */
  readonly base: string;
  appliesTo(shape: Shape): boolean;
  of(contention: NativeContention): number;
}

const CONTENDED_FIGURES: readonly ContendedFigure[] = [
  {
    name: "native.updates",
    unit: "updates/s",
    base: "writer-alone",
    appliesTo: ({ hasWriter }) => hasWriter,
    of: ({ updatesPerSecond }) => updatesPerSecond,
  },
  {
    name: "native.reads",
    unit: "reads/s",
    base: "reader-alone",
    appliesTo: ({ readers }) => readers > 0,
    of: ({ readsPerSecond }) => readsPerSecond,
  },
  {
    name: "native.retries-per-read",
    unit: "retries/read",
    base: "1-reader",
    appliesTo: ({ readers, hasWriter }) => readers > 0 && hasWriter,
    of: ({ retriesPerRead }) => retriesPerRead,
  },
];

/**
 * A writer and readers in C, all seq_cst: by words, and in a full run what they read by fields.
 *
 * @param program null without a compiler: the rows then say so
 */
export function nativeContendedPlans(
  program: NativeProgram | null,
  shapes: readonly Shape[],
  { quick }: Effort,
): TrialPlan[] {
  return shapes.flatMap((shape) => {
    const byWords = CONTENDED_FIGURES.filter((figure) => figure.appliesTo(shape)).map((figure) => ({
      ...figure,
      spec: rowOf(figure, shape),
    }));
    const plans = [contendedPlan(program, shape, "words", byWords)];
    if (shape.readers > 0 && !quick) plans.push(contendedPlan(program, shape, "fields", [readsByFields(shape)]));
    return plans;
  });
}

/** A figure, and the row that it fills. */
interface RowFigure {
  readonly spec: RowSpec;
  of(contention: NativeContention): number;
}

function rowOf({ name, unit, base }: ContendedFigure, shape: Shape): RowSpec {
  return { name: `${name}.${shape.name}`, unit, ratioTo: base === shape.name ? null : `${name}.${base}` };
}

function readsByFields({ name }: Shape): RowFigure {
  return {
    spec: { name: `native.reads-fields.${name}`, unit: "reads/s", ratioTo: `native.reads.${name}` },
    of: ({ readsPerSecond }) => readsPerSecond,
  };
}

function contendedPlan(
  program: NativeProgram | null,
  shape: Shape,
  layout: NativeLayout,
  figures: readonly RowFigure[],
): TrialPlan {
  return {
    rows: figures.map(({ spec }) => spec),
    open: async ({ windowMs }) => {
      if (program === null) return NO_COMPILER;
      return {
        round: async () => {
          const contention = await program.contend(shape, layout, windowMs);
          return figures.map((figure) => [figure.of(contention)]);
        },
      };
    },
  };
}
