import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { runBench } from "../bench/command/run-bench.js";
import type { BenchDocument, BenchResult } from "../bench/harness/document.js";
import type { Group } from "../bench/harness/trial.js";
import { checkSavePath, readBenchFile, writeBenchFile } from "../bench/report/bench-file.js";
import { compareRuns } from "../bench/report/compare.js";
import { compareLines } from "../bench/report/compare-table.js";

const ROUNDS = 9;
const BENCH = join(__dirname, "../bench/bench.js");

/** A row whose rounds' ratios lie evenly around `ratio`. */
function row(name: string, ratio: number, changes: Partial<BenchResult> = {}, spread = 0.01): BenchResult {
  const ratioRounds = Array.from({ length: ROUNDS }, (_, round) => ratio * (1 + (spread * (round - 4)) / 4));
  const figures = { median: 80, p99: 90, min: 70, max: 100, samples: 9 };
  return { group: "g", name, unit: "ns/op", ...figures, ratioTo: "base", ratio, ratioRounds, noisy: false, ...changes };
}

function run(...results: readonly BenchResult[]): BenchDocument {
  const machine = { cpu: "c", cores: 2, arch: "x64", kernel: "6", node: "20", v8: "11", compiler: null };
  return { schema: "stealclock.bench/1", machine, processes: 7, noise: null, results };
}

function verdictOf(before: BenchResult, now: BenchResult, maxRegression = 0.1): string | undefined {
  return compareRuns(run(before), run(now), maxRegression).changes[0]?.verdict;
}

const folder = mkdtempSync(join(tmpdir(), "stealclock-bench-test-"));
after(() => rmSync(folder, { recursive: true }));

describe("a comparison of two runs", () => {
  it("finds what got worse by more than is allowed, and what got better", () => {
    assert.equal(verdictOf(row("a", 2), row("a", 2.4)), "worse");
    assert.equal(verdictOf(row("a", 2), row("a", 2.4), 0.25), "same");
    assert.equal(verdictOf(row("a", 2), row("a", 1.5)), "better");
    assert.equal(verdictOf(row("a", 2), row("a", 2)), "same");
  });

  it("does not take chance for a change", () => {
    assert.equal(verdictOf(row("a", 2, {}, 0.5), row("a", 2.4, {}, 0.5)), "same");
  });

  it("knows that of rates more is better", () => {
    const rate = { unit: "reads/s" };
    assert.equal(verdictOf(row("a", 2, rate), row("a", 1.5, rate)), "worse");
    assert.equal(verdictOf(row("a", 2, rate), row("a", 2.5, rate)), "better");
    assert.equal(verdictOf(row("a", 2, { unit: "fairness" }), row("a", 1, { unit: "fairness" })), "worse");
  });

  it("compares with what was 0, and with what is 0 now", () => {
    const rate = { unit: "reads/s" };
    assert.equal(verdictOf(row("a", 0), row("a", 0)), "same");
    assert.equal(verdictOf(row("a", 0), row("a", 100)), "worse");
    assert.equal(verdictOf(row("a", 100), row("a", 0)), "better");
    assert.equal(verdictOf(row("a", 0, rate), row("a", 100, rate)), "better");
    assert.equal(verdictOf(row("a", 100, rate), row("a", 0, rate)), "worse");
    const comparison = compareRuns(run(row("a", 0)), run(row("a", 100)), 0.1);
    assert.match(compareLines(comparison, 0.1, 120).join("\n"), /g\/a +0\.00 +100 +base +(\+∞ % +){3}worse\n/);
  });

  it("does not take chance for a change where some rounds had 0", () => {
    const someNone = row("a", 1, { ratioRounds: [0, 0, 0, 0, 1, 1, 1, 1, 1] });
    for (const moreIsBetter of [false, true]) {
      const unit = moreIsBetter ? "reads/s" : "ns/op";
      const none = row("a", 0, { unit });
      assert.equal(verdictOf({ ...someNone, unit }, none), "same");
      assert.equal(verdictOf(none, { ...someNone, unit }), "same");
    }
  });

  it("tells of runs of one process only what changed by more than the next process might", () => {
    const told = (now: number): string => {
      const [before, after] = [run(row("a", 2)), run(row("a", now))];
      const verdicts = [
        compareRuns({ ...before, processes: 1 }, after, 0.1),
        compareRuns(before, { ...after, processes: 1 }, 0.1),
      ].map((comparison) => {
        assert.match(compareLines(comparison, 0.1, 500).join("\n"), /is of a single process \(--quick\)/);
        return comparison.changes[0].verdict;
      });
      assert.equal(verdicts[0], verdicts[1]);
      return verdicts[0];
    };
    assert.deepEqual([2.4, 4, 4.4, 1.5, 0.9].map(told), ["same", "same", "worse", "same", "better"]);
    const ofSeven = compareRuns(run(row("a", 2)), run(row("a", 2)), 0.1);
    assert.doesNotMatch(compareLines(ofSeven, 0.1, 500).join("\n"), /single process/);
  });

  it("never compares times", () => {
    assert.equal(verdictOf(row("a", 2), row("a", 2, { median: 8_000, min: 7_000, max: 9_000, p99: 9_000 })), "same");
  });

  /** Why the first row was left out. */
  const whyNot = (before: readonly BenchResult[], now: readonly BenchResult[]): string | undefined => {
    const { changes, notCompared } = compareRuns(run(...before), run(...now), 0.1);
    assert.deepEqual(changes, []);
    return notCompared.find(({ name }) => name === "a")?.why;
  };

  it("leaves out what only one of them has, and says so", () => {
    assert.equal(whyNot([row("a", 2)], []), "in the saved file, but not measured now");
    assert.equal(whyNot([], [row("a", 2)]), "not in the saved file");
  });

  it("does not miss rows that were not asked for", () => {
    const saved = run(row("a", 2), row("b", 2), row("c", 2));
    const { notCompared } = compareRuns(saved, run(row("a", 2)), 0.1, ({ name }) => name !== "b");
    assert.deepEqual(
      notCompared.map(({ group, name }) => `${group}/${name}`),
      ["g/c"],
    );
  });

  it("leaves out what is another ratio now", () => {
    const other = row("a", 4, { ratioTo: "other" });
    assert.equal(whyNot([row("a", 2)], [other]), "divided by other now, by base in the saved file");
    const none = row("a", 4, { ratioTo: null, ratio: null, ratioRounds: [] });
    assert.equal(whyNot([row("a", 2)], [none]), "divided by nothing now, by base in the saved file");
    assert.equal(whyNot([none], [row("a", 2)]), "divided by base now, by nothing in the saved file");
    const rate = row("a", 2, { unit: "reads/s" });
    assert.equal(whyNot([row("a", 2)], [rate]), "in reads/s now, in ns/op in the saved file");
    assert.match(whyNot([none], [none]) ?? "", /^nothing to divide by/);
  });

  /** A row that is a ratio in itself. */
  const growth = (value: number, changes: Partial<BenchResult> = {}): BenchResult => {
    const { ratioRounds: rounds, ...rest } = row("a", value, { unit: "x per doubling", ratioTo: null });
    return { ...rest, median: value, ratio: null, ratioRounds: [], rounds, ...changes };
  };

  it("compares what is a ratio in itself as it is", () => {
    assert.equal(verdictOf(growth(1), growth(1.2)), "worse");
    assert.equal(verdictOf(growth(1), growth(1)), "same");
    assert.equal(verdictOf(growth(1), growth(0.8)), "better");
    const fair = { unit: "fairness" };
    assert.equal(verdictOf(growth(0.99, fair), growth(0.5, fair)), "worse");
    const [change] = compareRuns(run(growth(1)), run(growth(1.2)), 0.1).changes;
    assert.deepEqual([change.ratioTo, change.before, change.after], [null, 1, 1.2]);
    const nothing = growth(1, { median: null, rounds: [] });
    assert.equal(whyNot([growth(1)], [nothing]), "no ratio now: it met nothing to measure");
  });

  it("can't tell of such a row whose rounds were not kept", () => {
    const { rounds: _, ...old } = growth(1);
    const comparison = compareRuns(run(old), run(growth(2)), 0.1);
    assert.equal(comparison.changes[0].verdict, "too few rounds");
    assert.match(compareLines(comparison, 0.1, 120).join("\n"), /10 %\. Too few rounds to tell of 1 row\.$/);
  });

  it("names a few of the rows that are absolute, and counts the others", () => {
    const absolute = (count: number) =>
      run(
        ...Array.from({ length: count }, (_, index) => row(`r${index}`, 2, { ratioTo: null, ratio: null })),
        row("a", 2),
      );
    const text = (count: number) =>
      compareLines(compareRuns(absolute(count), absolute(count), 0.1), 0.1, 200).join("\n");
    assert.match(text(6), /^r0, r1, r2, r3, r4, r5: not compared, nothing to divide by/m);
    assert.match(text(9), /^r0, r1, r2, r3, r4, r5 and 3 more: not compared, nothing to divide by/m);
  });

  it("says why there is no ratio", () => {
    const none = { ratio: null, ratioRounds: [] };
    const there = row("a", 2);
    const missing = row("a", 2, none);
    const unmeasured = row("a", 2, { ...none, median: null, samples: 0 });
    const base = row("base", 1, { ...none, ratioTo: null, median: null, note: "no compiler" });
    assert.equal(whyNot([there], [missing, base]), "no ratio now: no compiler");
    assert.equal(whyNot([missing, base], [there]), "no ratio in the saved file: no compiler");
    assert.equal(whyNot([missing], [missing, base]), "no ratio then or now: no compiler");
    assert.equal(whyNot([there], [{ ...unmeasured, note: "no page" }]), "no ratio now: no page");
    assert.equal(whyNot([there], [unmeasured]), "no ratio now: it met nothing to measure");
    assert.equal(whyNot([there], [missing]), "no ratio now: no round had a figure of base to divide by");
  });

  it("has no opinion on a few rounds", () => {
    const few = { ratioRounds: [2, 2, 2] };
    assert.equal(verdictOf(row("a", 2, few), row("a", 9, few)), "too few rounds");
  });

  it("shows the interval, and says which rows are worse", () => {
    const comparison = compareRuns(run(row("a", 2), row("b", 2)), run(row("a", 3), row("b", 2)), 0.1);
    const [change] = comparison.changes;
    assert.ok(change.interval !== null && change.interval.low < 0.5 && change.interval.high > 0.5);
    const text = compareLines(comparison, 0.1, 120).join("\n");
    assert.match(text, /g\/a .*base .*\+50\.0 % .*worse/);
    assert.match(text, /Worse by more than 10 %, and by more than chance explains: a\.$/);
  });
});

describe("a bench file", () => {
  it("comes back as it was written", () => {
    const file = join(folder, "saved.json");
    const document = run(row("a", 2));
    writeBenchFile(file, document);
    assert.deepEqual(readBenchFile(file), document);
  });

  const refused = async (...argv: readonly string[]): Promise<string> => {
    let text = "";
    const write = (more: string) => {
      text += more;
    };
    const exitCode = await runBench(argv, { stdout: write, stderr: write, isTerminal: false, width: 120 });
    assert.equal(exitCode, 2, text);
    return text;
  };

  it("is refused with exit 2 before anything is measured, with what is accepted", async () => {
    const broken = join(folder, "broken.json");
    writeFileSync(broken, "{");
    const other = join(folder, "other.json");
    writeFileSync(other, '{ "schema": "stealclock.run/1", "results": [] }');
    for (const file of [join(folder, "none.json"), broken, other]) {
      assert.match(await refused("--compare", file), /accepted: a file that --save wrote/);
    }
    assert.throws(() => checkSavePath(join(folder, "no", "file")), /accepted: a file in a folder that is there/);
    assert.match(await refused("--save", folder), /accepted: a file in a folder/);
  });

  it("refuses flags and filters that it does not know", async () => {
    assert.match(await refused("--filtre", "x"), /unknown option.*\n?.*--help/s);
    assert.match(await refused("--filter", "nothing-like-it"), /any part of\n {2}uncontended\/ update\.shipped /);
    assert.match(await refused("--filter", ","), /accepted: parts of group\/name/);
    assert.match(await refused("--max-regression", "ten"), /accepted: a percentage such as 10%/);
    assert.match(await refused("--max-regression", "20%"), /--max-regression: accepted: with --compare/);
    assert.match(await refused("surplus"), /too many arguments/);
  });
});

/** A group whose rows have the same figure in every round, so that nothing is left to chance or to the machine. */
function fixedGroup(...rows: readonly FixedRow[]): Group {
  return {
    name: "fixed",
    rounds: () => ROUNDS,
    plans: () =>
      rows.map(({ name, unit, ratioTo, value }) => ({
        rows: [{ name, unit, ratioTo }],
        open: async () => ({ round: async () => [[value]] }),
      })),
    derived: () => [],
  };
}

interface FixedRow {
  readonly name: string;
  readonly unit: string;
  readonly ratioTo: string | null;
  readonly value: number;
}

const BASE: FixedRow = { name: "base", unit: "ns/op", ratioTo: null, value: 100 };

function timed(value: number): FixedRow {
  return { name: "timed", unit: "ns/op", ratioTo: "base", value };
}

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function benchOf(rows: readonly FixedRow[], ...argv: readonly string[]): Promise<Outcome> {
  const texts = { stdout: "", stderr: "" };
  const output = {
    stdout: (text: string) => {
      texts.stdout += text;
    },
    stderr: (text: string) => {
      texts.stderr += text;
    },
    isTerminal: false,
    width: 120,
  };
  const subject = { groups: [fixedGroup(...rows)], compiler: null, close: () => {} };
  return { exitCode: await runBench(argv, output, () => subject), ...texts };
}

/** Keeps one run, and compares another with it. */
async function compared(before: readonly FixedRow[], now: readonly FixedRow[], ...argv: string[]): Promise<Outcome> {
  const file = join(folder, "before.json");
  assert.equal((await benchOf(before, "--save", file)).exitCode, 0);
  return benchOf(now, "--compare", file, ...argv);
}

describe("bench --compare", () => {
  it("exits 1 when a ratio got worse by more than is allowed", async () => {
    for (const argv of [[], ["--json"], ["--max-regression", "15%"]]) {
      const { exitCode, stderr } = await compared([BASE, timed(200)], [BASE, timed(240)], ...argv);
      assert.deepEqual([exitCode, stderr], [1, ""], argv.join(" "));
    }
  });

  it("exits 1 when something that was 0 is no more", async () => {
    const { exitCode, stdout } = await compared([BASE, timed(0)], [BASE, timed(1)], "--json");
    const [{ before, after: now, change, verdict }] = JSON.parse(stdout).changes;
    assert.deepEqual([exitCode, before, now, change, verdict], [1, 0, 0.01, null, "worse"]);
  });

  it("exits 0 when none did", async () => {
    const changes: readonly [number, ...string[]][] = [[200], [216], [150], [240, "--max-regression", "25%"]];
    for (const [value, ...argv] of changes) {
      const { exitCode, stderr } = await compared([BASE, timed(200)], [BASE, timed(value)], ...argv);
      assert.deepEqual([exitCode, stderr], [0, ""], `${value}`);
    }
  });

  it("exits 0 when both the row and what it is divided by take twice as long", async () => {
    const { exitCode } = await compared([BASE, timed(200)], [{ ...BASE, value: 200 }, timed(400)]);
    assert.equal(exitCode, 0);
  });

  const other: FixedRow = { ...timed(100), name: "other" };

  it("names what got lost and what is new under the table, and takes it for no regression", async () => {
    const { exitCode, stdout } = await compared(
      [BASE, timed(200), other],
      [BASE, timed(200), { ...other, name: "new" }],
    );
    assert.equal(exitCode, 0);
    assert.match(stdout, /^No row is worse by more than 10 %\.\n(.+\n)*other: not compared, in the saved file, but/m);
    assert.match(stdout, /^new: not compared, not in the saved file$/m);
  });

  it("names them in JSON, too", async () => {
    const { stdout } = await compared([BASE, timed(200), other], [BASE, timed(200)], "--json");
    const { changes, notCompared } = JSON.parse(stdout);
    assert.equal(changes.length, 1);
    assert.deepEqual(notCompared.at(-1), {
      group: "fixed",
      name: "other",
      why: "in the saved file, but not measured now",
    });
  });

  it("does not call lost what --filter leaves out", async () => {
    const { exitCode, stdout } = await compared([BASE, timed(200), other], [BASE, timed(200)], "--filter", "timed");
    assert.equal(exitCode, 0);
    assert.doesNotMatch(stdout, /\bother[,:]/);
    const missed = await compared([BASE, timed(200), other], [BASE, timed(200)], "--filter", "timed,other");
    assert.match(missed.stdout, /^other: not compared, in the saved file, but/m);
  });

  it("says what is missing, too, where nothing at all is left to compare", async () => {
    const { exitCode, stdout, stderr } = await compared([BASE, timed(200)], [BASE]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /no ratio of this run is in it/);
    assert.match(stdout, /^timed: not compared, in the saved file, but/m);
    assert.doesNotMatch(stdout, /No row is worse/);
  });

  it("has no line wider than the terminal under the table", async () => {
    const many = Array.from({ length: 40 }, (_, index) => ({ ...other, name: `other-${index}` }));
    const { stdout } = await compared([BASE, timed(200), ...many], [BASE, timed(200)]);
    const notes = stdout.slice(stdout.indexOf("No row is worse"));
    assert.match(notes, /other-0.*other-39: not/s);
    for (const line of notes.split("\n")) assert.ok(line.length <= 120, line);
  });

  it("hands its exit code to the process", () => {
    const { status, stderr } = spawnSync(process.execPath, [BENCH, "--compare", join(folder, "none.json")]);
    assert.equal(status, 2, String(stderr));
  });
});
