import type { StressRun } from "../../verify/stress/stress-run.js";

/** A run, and what it means for the protocol. */
export interface JudgedRun {
  readonly run: StressRun;
  /** Memory models under which the explorer finds a tear that the run did not show; null when not asked, or none. */
  readonly killingModel: string | null;
  /** Came out as what is known of the protocol says; null when the run was stopped before it could. */
  readonly ok: boolean | null;
}

/**
 * A right protocol has to be clean; a broken one has to be killed, by one instrument or the other.
 *
 * @param killedByExplorer asked only for a broken protocol that showed no tear
 */
export async function judge(
  run: StressRun,
  killedByExplorer: () => Promise<{ readonly model: string } | null>,
): Promise<JudgedRun> {
  const { expected, verdict } = run;
  if (verdict === "stopped") return { run, killingModel: null, ok: null };
  if (expected === "clean") return { run, killingModel: null, ok: verdict === "clean" };
  if (verdict !== "survived") return { run, killingModel: null, ok: verdict === "torn" };
  const killed = await killedByExplorer();
  return { run, killingModel: killed?.model ?? null, ok: killed !== null };
}

/** "stress, after 224 reads", "verify: es, arm", or "-". */
export function killedBy({ run, killingModel }: JudgedRun): string {
  if (run.firstTearAtRead !== null) return `stress, after ${run.firstTearAtRead} reads`;
  return killingModel === null ? "-" : `verify: ${killingModel}`;
}

/** The document of `--json`. */
export function stressDocument(judged: readonly JudgedRun[], planned: number): object {
  return {
    schema: "stealclock.stress/1",
    ok: judged.length === planned && judged.every(({ ok }) => ok === true),
    runs: judged.map(({ run, killingModel }) => {
      const { protocol, expected, updates, reads, retries, retriesPerRead, gaveUp, oddSeen, torn } = run;
      const { firstTearAtRead, durationNs, verdict, ...rest } = run;
      return {
        ...{ protocol, expected, updates, reads, retries, maxRetries: retriesPerRead.max, gaveUp, oddSeen, torn },
        ...{ firstTearAtRead, durationNs, verdict },
        killedBy: firstTearAtRead !== null ? "stress" : killingModel === null ? null : `verify: ${killingModel}`,
        ...rest,
      };
    }),
  };
}
