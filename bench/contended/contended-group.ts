import { availableParallelism } from "node:os";
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { fairness } from "../harness/statistics.js";
import type { Effort, Group, RoundFigures, RowSpec, TrialPlan } from "../harness/trial.js";
import { nativeContendedPlans } from "../native/native-plans.js";
import type { NativeProgram } from "../native/native-program.js";
import type { CrewReport } from "./contended-worker.js";
import { BenchCrew } from "./crew.js";
import { READER_ALONE, type Shape, shapesFor, WRITER_ALONE } from "./shapes.js";

/** Of a full run, in each of its processes: there a round takes seconds. */
const MOST_ROUNDS = 2;
const NS_PER_SECOND = 1e9;
/** The first rounds of a thread run before its code is compiled. */
const WARM_UP_MS = 100;

/** A kind of figure that a shape has. */
interface Metric {
  readonly name: string;
  readonly unit: string;
  /** The row that this one is divided by, for a shape; null for none. */
  ratioTo(shape: Shape): string | null;
  appliesTo(shape: Shape): boolean;
  figures(writer: CrewReport | null, readers: readonly CrewReport[]): RoundFigures;
}

const METRICS: readonly Metric[] = [
  {
    name: "updates",
    unit: "updates/s",
    ratioTo: ({ name }) => `native.updates.${name}`,
    appliesTo: ({ hasWriter }) => hasWriter,
    figures: (writer) => (writer === null ? [] : [perSecond(writer)]),
  },
  {
    name: "reads",
    unit: "reads/s",
    ratioTo: ({ name }) => `native.reads.${name}`,
    appliesTo: ({ readers }) => readers > 0,
    figures: (_, readers) => [readers.reduce((sum, reader) => sum + perSecond(reader), 0)],
  },
  {
    name: "retries-per-read",
    unit: "retries/read",
    ratioTo: ({ name }) => `native.retries-per-read.${name}`,
    appliesTo: ({ readers, hasWriter }) => readers > 0 && hasWriter,
    figures: (_, readers) => [sumOf(readers, "retries") / Math.max(1, sumOf(readers, "done"))],
  },
  {
    name: "fairness",
    unit: "fairness",
    ratioTo: () => null,
    appliesTo: ({ readers }) => readers > 1,
    figures: (_, readers) => [fairness(readers.map(perSecond))],
  },
  {
    name: "update-latency",
    unit: "ns",
    ratioTo: against("update-latency", WRITER_ALONE),
    appliesTo: ({ hasWriter }) => hasWriter,
    figures: (writer) => writer?.latency ?? [],
  },
  {
    name: "read-latency",
    unit: "ns",
    ratioTo: against("read-latency", READER_ALONE),
    appliesTo: ({ readers }) => readers > 0,
    figures: (_, readers) => merged(readers.map(({ latency }) => latency)),
  },
];

/** Nobody else is there in what the others are set beside. */
function against(metric: string, alone: Shape): (shape: Shape) => string | null {
  return (shape) => (shape.name === alone.name ? null : `${metric}.${alone.name}`);
}

function perSecond({ done, elapsedNs }: CrewReport): number {
  return (done * NS_PER_SECOND) / elapsedNs;
}

function sumOf(reports: readonly CrewReport[], what: "done" | "retries"): number {
  return reports.reduce((sum, report) => sum + report[what], 0);
}

function merged(histograms: readonly RecordableHistogram[]): RecordableHistogram {
  const all = createHistogram();
  for (const histogram of histograms) all.add(histogram);
  return all;
}

/** One writer and its readers at full speed, in threads of their own. */
export function contendedGroup(program: NativeProgram | null, cores = availableParallelism()): Group {
  let plans: readonly TrialPlan[] | null = null;
  return {
    name: "contended",
    rounds: ({ rounds, quick }) => (quick ? rounds : Math.min(rounds, MOST_ROUNDS)),
    plans: (effort) => {
      if (plans === null) {
        const shapes = shapesFor(effort, cores);
        plans = [...plansOf(shapes), ...nativeContendedPlans(program, shapes, effort)];
      }
      return plans;
    },
    derived: () => [],
  };
}

/** One crew serves all shapes: it is there once the first of them is opened, and until the last is closed. */
function plansOf(shapes: readonly Shape[]): TrialPlan[] {
  const mostReaders = Math.max(...shapes.map(({ readers }) => readers));
  let crew: BenchCrew | null = null;
  let users = 0;
  return shapes.map((shape) => {
    const metrics = METRICS.filter((metric) => metric.appliesTo(shape));
    return {
      rows: metrics.map((metric) => rowOf(metric, shape)),
      open: async ({ windowMs }: Effort) => {
        crew ??= new BenchCrew(mostReaders);
        users++;
        const own = crew;
        await own.run(shape, WARM_UP_MS);
        return {
          round: async () => {
            const reports = await own.run(shape, windowMs);
            const writer = shape.hasWriter ? reports[0] : null;
            const readers = shape.hasWriter ? reports.slice(1) : reports;
            return metrics.map((metric) => metric.figures(writer, readers));
          },
          close: async () => {
            if (--users > 0) return;
            crew = null;
            await own.close();
          },
        };
      },
    };
  });
}

function rowOf({ name, unit, ratioTo }: Metric, shape: Shape): RowSpec {
  return { name: `${name}.${shape.name}`, unit, ratioTo: ratioTo(shape) };
}
