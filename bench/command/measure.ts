import { fork } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { StealclockError } from "../../src/shared/errors.js";
import { BENCH_SCHEMA, type BenchDocument, type BenchResult } from "../harness/document.js";
import { describeMachine } from "../harness/machine.js";
import { mergeDocuments } from "../harness/merge.js";
import { NOISE_LIMIT, NoiseMeter } from "../harness/noise.js";
import { type Progress, runGroup } from "../harness/run-group.js";
import type { BenchFlags } from "./flags.js";
import { selectPlans } from "./select-plans.js";
import { allGroups, checkModule, openSubject, type Subject } from "./subject.js";

const BENCH_FILE = join(__dirname, "../bench.js");

/**
 * Everything that was asked for, in as many processes as the flags say, one after the other.
 *
 * @param open what is measured, where it is not the bench's own: it is measured in this process
 */
export async function measure(
  flags: BenchFlags,
  open: (() => Subject) | null,
  progress: Progress,
): Promise<BenchDocument> {
  const { processes, effort, filter } = flags;
  const isApart = open === null && processes > 1;
  if (isApart) {
    // What every one of them would refuse.
    checkModule();
    selectPlans(allGroups(null), effort, filter);
  }
  const documents: BenchDocument[] = [];
  for (let number = 1; number <= processes; number++) {
    if (isApart) progress(`process ${number} of ${processes}`);
    documents.push(isApart ? await measureApart(flags) : await measureHere(flags, open ?? openSubject, progress));
  }
  progress("");
  return mergeDocuments(documents);
}

/** In a process of its own, which ends with this one. */
async function measureApart({ filter, effort }: BenchFlags): Promise<BenchDocument> {
  const argv = ["--json", "--processes", "1", "--rounds", String(effort.rounds)];
  if (filter.length > 0) argv.push("--filter", filter.join(","));
  const child = fork(BENCH_FILE, argv, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  const kill = (): void => {
    child.kill();
  };
  process.once("exit", kill);
  try {
    const ended = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
    if (child.stdout === null || child.stderr === null) throw new Error("a child's output is not there");
    const [exitCode, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    if (exitCode !== 0) {
      throw new StealclockError("part-died", `a process of the bench ended with ${exitCode}: ${stderr.trim()}`);
    }
    return JSON.parse(stdout);
  } finally {
    process.off("exit", kill);
  }
}

async function measureHere(
  { effort, filter }: BenchFlags,
  open: () => Subject,
  progress: Progress,
): Promise<BenchDocument> {
  const subject = open();
  try {
    const selected = selectPlans(subject.groups, effort, filter);
    const noise = new NoiseMeter();
    noise.begin();
    const results: BenchResult[] = [];
    for (const { group, plans } of selected) results.push(...(await runGroup(group, plans, effort, progress)));
    noise.end();
    const { shares } = noise;
    return {
      schema: BENCH_SCHEMA,
      machine: describeMachine(subject.compiler),
      processes: 1,
      noise: shares === null ? null : { ...shares, limit: NOISE_LIMIT },
      results,
    };
  } finally {
    subject.close();
  }
}
