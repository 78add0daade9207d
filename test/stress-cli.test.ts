import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, test } from "node:test";
import { shortCount } from "../src/cli/stress/stress-figures.js";
import type { StressInstruments } from "../src/cli/stress/stress-instruments.js";
import { StealclockError } from "../src/shared/errors.js";
import { ALL_PROTOCOLS, SHIPPED, SHIPPED_WASM } from "../src/verify/protocols.js";
import type { StressOptions, StressRun } from "../src/verify/stress/stress-run.js";
import { Captured, cli } from "./cli-helpers.js";
import { protocolFile } from "./stress-helpers.js";

/** What a run of one second comes to: what is broken is torn, what is right is clean. */
function runOf({ protocol, readers, pages }: StressOptions, changes: Partial<StressRun> = {}): StressRun {
  const isBroken = protocol.expected === "broken";
  const hasSteals = protocol === SHIPPED || protocol === SHIPPED_WASM;
  return {
    protocol: protocol.name,
    expected: protocol.expected,
    readers,
    pages,
    updates: 2_000_000,
    steals: hasSteals ? 1_200_000 : null,
    reads: 1_000_000,
    retries: 5_000_000,
    retriesPerRead: { p50: 1, p99: 20, max: 10_000 },
    gaveUp: 3,
    oddSeen: 100_000,
    changedSeen: 200_000,
    stealsMet: hasSteals ? 150_000 : null,
    torn: isBroken ? 1_234 : 0,
    firstTearAtRead: isBroken ? 42 : null,
    durationNs: 1_000_000_000,
    updateNs: { p50: 150, p99: 500, max: 20_000 },
    readNs: { p50: 120, p99: 700, max: 9_000_000 },
    stoppedEarly: false,
    verdict: isBroken ? "torn" : "clean",
    fault: null,
    ...changes,
  };
}

interface Fake {
  readonly instruments: StressInstruments;
  /** What was asked to be run, in order. */
  readonly asked: StressOptions[];
  readonly checked: string[];
}

function fake(
  changesOf: (options: StressOptions) => Partial<StressRun> = () => ({}),
  model: string | null = null,
): Fake {
  const asked: StressOptions[] = [];
  const checked: string[] = [];
  const instruments: StressInstruments = {
    stress: async (options) => {
      asked.push(options);
      return runOf(options, changesOf(options));
    },
    killedByExplorer: async () => (model === null ? null : { model }),
    checkProtocolFile: async (file) => void checked.push(file),
  };
  return { instruments, asked, checked };
}

const survivesOrder = ({ protocol }: StressOptions): Partial<StressRun> =>
  protocol.name.startsWith("plain-payload") && protocol.expected === "broken"
    ? { torn: 0, firstTearAtRead: null, verdict: "survived" }
    : {};

const stress = (args: readonly string[], { instruments }: Fake, options = {}) =>
  cli(["stress", ...args], { stressInstruments: instruments, ...options });

test("counts in three digits or so", () => {
  const shown = [0, 7, 9_999, 10_000, 42_049, 999_400, 3_450_469, 123_456_789, 2e9].map(shortCount);
  assert.deepEqual(shown, ["0", "7", "9999", "10.0k", "42.0k", "999k", "3.45M", "123M", "2.00G"]);
});

describe("stealclock stress", () => {
  test("what emulate runs, for 5 s, on all cores less one, is the default", async () => {
    const run = fake();
    const { exitCode, stdout, stderr } = await stress([], run);
    assert.deepEqual([exitCode, stderr], [0, ""]);
    const [{ protocol, readers, pages, durationNs, maxRetries, fault }] = run.asked;
    assert.deepEqual(
      [run.asked.length, protocol.name, readers, pages, durationNs, maxRetries, fault],
      [1, "shipped-wasm", 7, 1, 5_000_000_000, 10_000, undefined],
    );
    assert.match(stdout, /^7 readers on 1 page, 1\.000 s\n/);
    assert.match(stdout, /ok: 1000000 reads beside 2000000 updates, 0 torn\.\n$/);
  });

  test("--protocol-backend, or its name, chooses one of the two that ship; a fault is done to either", async () => {
    for (const [args, name] of [
      [["--protocol-backend", "wasm"], "shipped-wasm"],
      [["--protocol-backend", "atomics"], "shipped"],
      [["--protocol", "shipped-wasm"], "shipped-wasm"],
      [["--protocol", "shipped"], "shipped"],
    ] as const) {
      for (const fault of [[], ["--fault", "writer-dies"]]) {
        const run = fake();
        assert.equal((await stress([...args, ...fault], run)).exitCode, 0);
        assert.deepEqual(
          run.asked.map((options) => [options.protocol.name, options.fault]),
          [[name, fault[1]]],
        );
      }
    }
  });

  test("how many updates wrote the steal alone is said where a protocol has them", async () => {
    const sentence =
      /(\S+): 1200000 of 2000000 updates wrote the steal alone; 150000 reads that met the writer at work accepted such a one\./g;
    const saidOf = async (args: readonly string[]) =>
      [...(await stress(args, fake())).stdout.replaceAll(/\s+/g, " ").matchAll(sentence)].map(([, name]) => name);
    assert.deepEqual(await saidOf([]), ["shipped-wasm"]);
    assert.deepEqual(await saidOf(["--all"]), ["shipped-wasm", "shipped"]);
    assert.deepEqual(await saidOf(["--protocol", "no-odd-phase"]), []);
    const nothing = await stress(
      [],
      fake(() => ({ stealsMet: 0, verdict: "proved nothing" })),
    );
    assert.equal(nothing.exitCode, 1);
    assert.match(
      nothing.stdout,
      /proved nothing: no reader that met the writer at work accepted an\s+update of the steal alone\./,
    );
  });

  test("--all runs every protocol in turn, those that ship last and for the whole time", async () => {
    const run = fake(survivesOrder, "es, arm");
    const { exitCode, stdout } = await stress(["--all", "--duration", "20s"], run);
    assert.equal(exitCode, 0);
    assert.deepEqual(
      run.asked.map(({ protocol }) => protocol.name),
      ALL_PROTOCOLS.map(({ name }) => name),
    );
    assert.deepEqual(
      run.asked.slice(-2).map(({ protocol }) => protocol.name),
      ["shipped-wasm", "shipped"],
    );
    for (const { protocol, durationNs } of run.asked) {
      assert.equal(durationNs, protocol.expected === "broken" ? 1_000_000_000 : 20_000_000_000, protocol.name);
    }
    assert.match(stdout, /no-version-check +1234 +torn +stress, after 42 reads /);
    assert.match(stdout, / plain-payload +0 +survived +verify: es, arm /);
    assert.match(stdout, / shipped +0 +clean +- /);
    assert.match(stdout, /ok: 20 protocols as known\.\n$/);
  });

  test("why x86 shows no tear is said of what survived, and only where an order is what is missing", async () => {
    const byOrder = await stress(["--all"], fake(survivesOrder, "es, arm"));
    assert.match(byOrder.stdout, /plain-payload, plain-payload-rmw-check: what is missing is an\s+order/);
    const byLuck = await stress(["--all"], fake(survivesOrder, "sc, es, arm"));
    assert.match(byLuck.stdout, /no tear came up in\s+so short a run/);
    assert.doesNotMatch(byLuck.stdout, /what is missing/);
    assert.doesNotMatch((await stress(["--all"], fake())).stdout, /what is missing|so short/);
  });

  test("a broken protocol that nothing killed is a failure", async () => {
    const { exitCode, stdout } = await stress(["--protocol", "plain-payload"], fake(survivesOrder));
    assert.equal(exitCode, 1);
    assert.match(
      stdout,
      /plain-payload is known to be broken, and nothing has killed it\.\nNOT ok: plain-payload\.\n$/,
    );
  });

  test("a torn value of a right protocol, and a run that proved nothing, leave with 1 and say why", async () => {
    const torn = await stress(
      [],
      fake(() => ({ torn: 2, firstTearAtRead: 77, verdict: "torn" })),
    );
    assert.equal(torn.exitCode, 1);
    assert.match(
      torn.stdout,
      /shipped-wasm: 2 torn values accepted in 1000000 reads, the first at read 77 of\s+its\s+reader\./,
    );
    const none = { oddSeen: 0, changedSeen: 0, gaveUp: 0, retries: 0, verdict: "proved nothing" } as const;
    for (const name of ["shipped-wasm", "no-version-check"]) {
      const changes = { ...none, torn: 0, firstTearAtRead: null };
      const nothing = await stress(
        ["--protocol", name],
        fake(() => changes, "sc"),
      );
      assert.equal(nothing.exitCode, 1);
      assert.match(nothing.stdout, new RegExp(`${name}: proved nothing: no reader met an odd version`));
    }
  });

  test("--json is one document with the figures of each run", async () => {
    const { exitCode, stdout } = await stress(["--all", "--json"], fake(survivesOrder, "es, arm"));
    assert.equal(exitCode, 0);
    const { schema, ok, runs } = JSON.parse(stdout);
    assert.deepEqual([schema, ok, runs.length], ["stealclock.stress/1", true, ALL_PROTOCOLS.length]);
    const { readers, pages, retriesPerRead, changedSeen, updateNs, readNs, stoppedEarly, fault, ...rest } = runs[0];
    const { steals, stealsMet, ...figures } = rest;
    assert.deepEqual([steals, stealsMet], [null, null]);
    assert.deepEqual([runs.at(-2).steals, runs.at(-2).stealsMet], [1_200_000, 150_000]);
    assert.deepEqual(figures, {
      protocol: "no-version-check",
      expected: "broken",
      updates: 2_000_000,
      reads: 1_000_000,
      retries: 5_000_000,
      maxRetries: 10_000,
      gaveUp: 3,
      oddSeen: 100_000,
      torn: 1_234,
      firstTearAtRead: 42,
      durationNs: 1_000_000_000,
      verdict: "torn",
      killedBy: "stress",
    });
    assert.deepEqual(
      [readers, pages, retriesPerRead.p99, changedSeen, updateNs.p50, readNs.max, stoppedEarly, fault],
      [7, 1, 20, 200_000, 150, 9_000_000, false, null],
    );
    const failed = JSON.parse(
      (
        await stress(
          ["--json"],
          fake(() => ({ verdict: "proved nothing" })),
        )
      ).stdout,
    );
    assert.deepEqual([failed.ok, failed.runs[0].verdict], [false, "proved nothing"]);
  });

  test("what is asked for reaches the run", async () => {
    const run = fake();
    await stress(["--readers", "3", "--pages", "16", "--duration", "250ms", "--max-retries", "50"], run);
    const [{ readers, pages, durationNs, maxRetries }] = run.asked;
    assert.deepEqual([readers, pages, durationNs, maxRetries], [3, 16, 250_000_000, 50]);
    await stress(["--fault", "writer-dies"], run);
    assert.equal(run.asked[1].fault, "writer-dies");
  });

  test("a protocol file is looked at closely before it is run", async (t) => {
    const run = fake();
    const file = protocolFile(t, "export const write = 0;");
    assert.equal((await stress(["--protocol-file", file], run)).exitCode, 0);
    assert.deepEqual(
      [run.checked, run.asked[0].protocol],
      [[file], { name: file, file, expected: "clean", layout: "words" }],
    );
    await stress([], run);
    assert.equal(run.checked.length, 1);
    const refused: StressInstruments = {
      ...run.instruments,
      checkProtocolFile: async () => {
        throw new StealclockError("bad-input", `${file}: keeps state between calls`);
      },
    };
    const { exitCode, stderr, stdout } = await cli(["stress", "--protocol-file", file], { stressInstruments: refused });
    assert.deepEqual([exitCode, stderr, stdout], [2, `stealclock: ${file}: keeps state between calls\n`, ""]);
    assert.equal(run.asked.length, 2);
  });

  test("bad input leaves with 2, says what is accepted, and nothing is run", async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [
        ["--protocol", "shiped"],
        /--protocol: "shiped" is not a protocol; accepted: no-version-check, .*mean shipped\?/,
      ],
      [["--readers", "0"], /--readers: 0 is not a number of readers; accepted: an integer from 1 to 64$/m],
      [["--readers", "65"], /--readers: 65 is not/],
      [["--readers", "two"], /--readers: "two" is not/],
      [["--pages", "1025"], /--pages: 1025 is not a number of pages; accepted: an integer from 1 to 1024/],
      [["--max-retries", "0"], /--max-retries: 0 is not .* from 1 to 100000/],
      [["--duration", "5"], /--duration: "5" is not a duration; accepted/],
      [["--duration", "10us"], /--duration: "10us" is not a length of a run; accepted: 1ms to 1d/],
      [["--duration", "2d"], /--duration: "2d" is not/],
      [
        ["--fault", "reader-dies"],
        /--fault: "reader-dies" is not a fault; accepted: writer-stalls, writer-dies, .*aba/,
      ],
      [["--all", "--protocol", "shipped"], /--protocol and --all: accepted: one of them/],
      [["--all", "--protocol-backend", "wasm"], /--protocol-backend and --all: accepted: one of them/],
      [
        ["--protocol", "shipped", "--protocol-backend", "wasm"],
        /--protocol and --protocol-backend: accepted: one of them/,
      ],
      [
        ["--protocol-file", "mine.mjs", "--protocol-backend", "atomics"],
        /--protocol-backend and --protocol-file: accepted: one of them/,
      ],
      [
        ["--protocol-backend", "wsam"],
        /--protocol-backend: "wsam" is not a backend of the protocol; accepted: .*mean wasm\?/,
      ],
      [["--fault", "aba", "--all"], /--fault .* accepted: no --all with it/],
      [["--fault", "aba", "--protocol", "no-odd-phase"], /--fault .* accepted: no --protocol no-odd-phase with it/],
      [["--fault", "writer-dies", "--protocol-file", "mine.mjs"], /--fault .* accepted: no --protocol-file with it/],
      [["--fault", "aba", "--pages", "2"], /--fault .* accepted: no --pages with it/],
      [["--protocol-file", "/nowhere/mine.mjs"], /\/nowhere\/mine\.mjs: no such file; accepted: a JavaScript module/],
      [["--protocol-file", "/"], /\/: this is a folder/],
      [["--loud"], /unknown option '--loud'/],
    ];
    for (const [args, message] of cases) {
      const run = fake();
      const { exitCode, stdout, stderr } = await stress(args, run);
      assert.deepEqual([exitCode, stdout, run.asked.length], [2, "", 0], args.join(" "));
      assert.match(stderr, message);
    }
  });

  test("nothing is wider than the terminal, down to 40 columns, and a narrow one loses no figure", async () => {
    for (const columns of [40, 60, 80, 120, 200]) {
      const stdout = new Captured({ columns, rows: 50 });
      await stress(["--all"], fake(survivesOrder, "es, arm"), { stdout });
      const tooWide = stdout.text.split("\n").filter((line) => line.length > columns);
      assert.deepEqual(tooWide, [], `${columns} columns`);
      assert.equal(stdout.text.match(/1234/g)?.length, 15, `${columns} columns`);
      assert.doesNotMatch(stdout.text, /undefined|NaN|Infinity/);
      assert.deepEqual(
        stdout.text.split("\n").filter((line) => /\s$/.test(line)),
        [],
      );
    }
  });

  test("a terminal sees how far it is, and the line is gone before the result; a pipe sees nothing", async () => {
    const run = fake();
    const instruments: StressInstruments = {
      ...run.instruments,
      stress: async (options) => {
        for (const ms of [500, 1_000]) {
          const elapsedNs = ms * 1_000_000;
          options.onProgress?.({ elapsedNs, updates: 1, reads: 345_678, overlaps: 1, stealsMet: 1, torn: 0 });
        }
        return runOf(options);
      },
    };
    let nowMs = 0;
    const options = { stressInstruments: instruments, nowMs: () => (nowMs += 1_000) };
    const stderr = new Captured({ columns: 80, rows: 24 });
    await cli(["stress"], { ...options, stderr });
    assert.equal(
      stderr.text,
      "\r\u001B[Kshipped-wasm: 0.500 s, 346k reads, 0 torn\r\u001B[Kshipped-wasm: 1.000 s, 346k reads, 0 torn\r\u001B[K",
    );
    assert.equal((await cli(["stress"], options)).stderr, "");
  });

  test("Ctrl-C ends a run early; what it had proved counts, and what was not run is not passed", async () => {
    /** Stops at the run of this number, from 1. */
    const stopAt = async (number: number, args: readonly string[], changes: Partial<StressRun>) => {
      const signals = new EventEmitter();
      const run = fake();
      const instruments: StressInstruments = {
        ...run.instruments,
        stress: async (options) => {
          const result = await run.instruments.stress(options);
          if (run.asked.length !== number) return result;
          signals.emit("SIGINT");
          assert.equal(options.signal?.aborted, true);
          return { ...result, stoppedEarly: true, ...changes };
        },
      };
      return { ...(await stress(args, { ...run, instruments }, { signals })), asked: run.asked.length };
    };
    const proved = await stopAt(1, [], {});
    assert.equal(proved.exitCode, 0);
    assert.equal(proved.stderr, "stealclock: stopping; once more leaves at once\n");
    assert.match(proved.stdout, /ok as far as it went, stopped early: /);
    const unproved = await stopAt(1, [], { verdict: "stopped" });
    assert.equal(unproved.exitCode, 130);
    assert.match(unproved.stdout, /shipped-wasm: stopped before it proved anything\.\nNothing was proved\.\n$/);
    const inTheMiddle = await stopAt(3, ["--all"], {});
    assert.deepEqual([inTheMiddle.exitCode, inTheMiddle.asked], [130, 3]);
    assert.match(inTheMiddle.stdout, /Stopped: 3 of 20 protocols were run\. 3 protocols as known\.\n$/);
    const torn = await stopAt(1, [], { verdict: "torn", torn: 1, firstTearAtRead: 3 });
    assert.equal(torn.exitCode, 1);
    const { stdout } = await stopAt(2, ["--all", "--json"], {});
    assert.equal(JSON.parse(stdout).ok, false);
  });

  test("a second Ctrl-C leaves at once", async () => {
    const signals = new EventEmitter();
    let nowMs = 0;
    const run = fake();
    const instruments: StressInstruments = {
      ...run.instruments,
      stress: async (options) => {
        signals.emit("SIGINT");
        nowMs = 1_000;
        signals.emit("SIGINT");
        return runOf(options);
      },
    };
    const { left } = await stress([], { ...run, instruments }, { signals, nowMs: () => nowMs });
    assert.deepEqual(left, [130]);
  });

  test("a part that dies leaves with 1 and its name, and what was run before it is printed", async () => {
    const run = fake();
    const instruments: StressInstruments = {
      ...run.instruments,
      stress: async (options) => {
        if (run.asked.length === 2) throw new StealclockError("part-died", "reader 1 died: it was time");
        return run.instruments.stress(options);
      },
    };
    const { exitCode, stdout, stderr } = await stress(["--all"], { ...run, instruments });
    assert.deepEqual([exitCode, stderr], [1, "stealclock: reader 1 died: it was time\n"]);
    assert.match(stdout, /no-version-check .*torn/);
    assert.doesNotMatch(stdout, /ok:/);
  });
});
