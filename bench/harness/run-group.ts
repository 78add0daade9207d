import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { BenchResult } from "./document.js";
import { NoiseMeter } from "./noise.js";
import { RowRecord } from "./row-record.js";
import { type Effort, type Group, type Trial, type TrialPlan, Unavailable } from "./trial.js";

/** Who hears how far a run has come. */
export type Progress = (text: string) => void;

/** A plan, what came of it, and its rows' figures. */
interface Opened {
  readonly trial: Trial | Unavailable;
  readonly records: readonly RowRecord[];
}

/**
 * Measures the plans of a group: all are warmed up first, then each is measured once in every round. Rounds begin with
 * another plan each, so that none always follows the same one.
 *
 * @param plans those of the group that are wanted
 */
export async function runGroup(
  group: Group,
  plans: readonly TrialPlan[],
  effort: Effort,
  progress: Progress,
): Promise<BenchResult[]> {
  const noise = new NoiseMeter();
  const opened: Opened[] = [];
  try {
    for (const plan of plans) {
      progress(`${group.name}: warming up ${plan.rows[0].name}`);
      // Plans of one thread hold it from first to last: a signal has to get in between.
      await eventLoopTurn();
      opened.push({ trial: await plan.open(effort), records: plan.rows.map((row) => new RowRecord(row)) });
    }
    const rounds = group.rounds(effort);
    for (let round = 0; round < rounds; round++) {
      progress(`${group.name}: round ${round + 1} of ${rounds}`);
      noise.begin();
      await measureRound(opened, round);
      noise.end();
    }
  } finally {
    for (const { trial } of opened) if (!(trial instanceof Unavailable)) await trial.close?.();
  }
  return resultsOf(group, effort, opened, noise.isNoisy);
}

async function measureRound(opened: readonly Opened[], round: number): Promise<void> {
  for (let turn = 0; turn < opened.length; turn++) {
    const { trial, records } = opened[(round + turn) % opened.length];
    if (trial instanceof Unavailable) continue;
    await eventLoopTurn();
    const samples = await trial.round();
    for (const [row, record] of records.entries()) record.add(samples[row] ?? []);
  }
}

function resultsOf(group: Group, effort: Effort, opened: readonly Opened[], noisy: boolean): BenchResult[] {
  const measured = opened.flatMap(({ records }) => records);
  const byName = new Map(measured.map((record) => [record.spec.name, record]));
  const notes = new Map(
    opened.flatMap(({ trial, records }) =>
      trial instanceof Unavailable ? records.map(({ spec }) => [spec.name, trial.reason] as const) : [],
    ),
  );
  const derived = group.derived(effort).flatMap((row) => {
    const from = row.from.flatMap((name) => byName.get(name) ?? []);
    return from.length === row.from.length ? [RowRecord.derived(row, from)] : [];
  });
  for (const record of derived) byName.set(record.spec.name, record);
  return [...measured, ...derived].map((record) =>
    record.result(group.name, byName.get(record.spec.ratioTo ?? "") ?? null, noisy, notes.get(record.spec.name)),
  );
}
