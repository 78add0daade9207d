import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { commandLine } from "../src/cli/command-line.js";
import { jsonPieces } from "../src/cli/json-document.js";
import { progressText } from "../src/cli/progress.js";
import { asSize, Refused } from "../src/cli/values.js";
import type { EmulateOptions } from "../src/engine/result.js";
import type { Scenario } from "../src/engine/scenario.js";
import { NS_PER_MS, NS_PER_SECOND } from "../src/shared/units.js";
import { Captured, type CliOptions, cli, DRAWN_SEED, runResult, sampleOf } from "./cli-helpers.js";

/** emulate --engine virtual as one sees it. */

const folder = mkdtempSync(join(tmpdir(), "stealclock-"));
after(() => rmSync(folder, { recursive: true }));

const TERMINAL = { columns: 80, rows: 24 };
const virtual = (args: string, options: CliOptions = {}) =>
  cli(["emulate", "--engine", "virtual", ...args.split(" ").filter((word) => word !== "")], options);

describe("what is refused", () => {
  async function assertRefused(args: string, parts: readonly string[]): Promise<void> {
    const { exitCode, stdout, stderr, scenario } = await cli(["emulate", ...args.split(" ")]);
    assert.equal(exitCode, 2, stderr);
    assert.equal(scenario, null, "nothing may be started");
    assert.equal(stdout, "");
    for (const part of parts) assert.ok(stderr.includes(part), `${JSON.stringify(part)} is not in:\n${stderr}`);
  }

  const IN_VIRTUAL: readonly (readonly [args: string, ...parts: string[]])[] = [
    ["--seed -1", "--seed: -1 is not a seed", "from 0 to 4294967295"],
    ["--seed 4294967296", "--seed: 4294967296 is not a seed", "from 0 to 4294967295"],
    ["--seed 0x10", '--seed: "0x10" is not a seed'],
    ["--sed 1", "unknown option '--sed'", "Did you mean --seed?"],
    ["--vcpus 100001", "--vcpus: 100001", "1 to 100000 in the virtual one"],
    ["--pcpus 100001", "--pcpus: 100001", "1 to 100000 in the virtual one"],
    [
      "--start-at 99d --duration 2d",
      "--start-at: a start at 99d and a duration of 2d end beyond 100d",
      "98d or earlier",
    ],
    ["--start-at 5", "--start-at: 5 is not a duration"],
    ["--jitter 10", "--jitter: 10 is not a jitter", "from 0% to 50%, such as 10%"],
    ["--jitter 51%", '--jitter: "51%"', "from 0% to 50%"],
    ["--jitter 2.5%", '--jitter: "2.5%"', "a whole percentage"],
    ["--wake-latency 2s", "--wake-latency: wake latency 2s is out of range", "0s to 1s"],
    ["--host-noise 1001ms", "--host-noise: host noise 1001ms is out of range", "0s to 1s"],
    [
      "--tick-phase stagered",
      '--tick-phase: "stagered"',
      "staggered, random, or a duration",
      "did you mean staggered?",
    ],
    ["--page-memory junck", '--page-memory: "junck"', "zero, junk", "did you mean junk?"],
    ["--host linux", "--host: the virtual engine has no linux host", "fair, or --engine real"],
    ["--poll 1ms", "--poll: the virtual engine does not have this", "--engine real"],
    ["--until 4s", "--until: 4s is not within the run", "up to the duration, 3s"],
    ["--until 4", '--until: "4" is not a duration'],
    ["--events-limit 1MiB", "--events-limit: there are no events to limit", "with --events"],
    ["--events /tmp/x --events-limit 64MB", '--events-limit: "64MB" is not a size', "KiB, MiB or GiB"],
    ["--events /tmp/x --events-limit 0", "--events-limit:", "from 1 to 1024GiB"],
    [`--events ${folder}`, `--events: ${folder}: this is a folder`],
    [`--events ${folder}/no/file`, "no such folder", "in a folder that is there"],
    [`--dump-pages ${__filename}`, `--dump-pages: ${__filename}: this is a file`, "it is created when missing"],
    [`--dump-pages ${__filename}/x`, "a part of this path is a file"],
    ["--check-protocol --no-checks", "stealclock: --check-protocol: contradicts --no-checks; accepted: one of them\n"],
  ];
  for (const [args, ...parts] of IN_VIRTUAL) {
    test(`--engine virtual ${args}`, () => assertRefused(`--engine virtual ${args}`, parts));
  }

  test("a folder where none can be created", { skip: process.platform !== "linux" }, () =>
    assertRefused("--engine virtual --dump-pages /proc/no/such", ["--dump-pages: /proc/no/such: "]),
  );

  const MESSAGE = "the real engine does not have this; accepted: leave it out, or ";
  const IN_REAL: readonly (readonly [args: string, flag: string])[] = [
    ["--seed 1", "--seed"],
    ["--seed 0", "--seed"],
    ["--start-at 1d", "--start-at"],
    ["--jitter 0%", "--jitter"],
    ["--wake-latency 50us", "--wake-latency"],
    ["--host-noise 50us", "--host-noise"],
    ["--until 1s", "--until"],
    ["--dump-pages pages", "--dump-pages"],
    ["--events e.jsonl", "--events"],
    ["--no-checks", "--no-checks"],
  ];
  for (const [args, flag] of IN_REAL) {
    test(`${args} in the real engine`, () => assertRefused(args, [`stealclock: ${flag}: ${MESSAGE}`]));
  }

  test("what the real engine has not, by what names it", async () => {
    await assertRefused("--engine kvm", ['--engine: "kvm" is not an engine', "real, virtual"]);
    await assertRefused("--engine vitual", ["did you mean virtual?"]);
    await assertRefused("--vcpus 1025", [
      "--vcpus: 1025 vCPUs are too many for the real engine",
      "1 to 1024 in the real",
    ]);
    await assertRefused("--tick-phase random", ["--tick-phase: the real engine has no seed", "or --engine virtual"]);
    assert.equal((await cli(["emulate", "--tick-phase", "staggered"])).exitCode, 0);
    assert.ok(!existsSync("pages"), "nothing is created for a run that is refused");
  });

  const FILES: readonly (readonly [text: string, ...parts: string[]])[] = [
    ["seed: 7\n", ":1:7: seed: the real engine does not have this", "--engine virtual"],
    ["timeline: []\n", ":1:11: timeline: the real engine does not have this"],
    ["engine: virtual\nfaults: []\n", ":2:9: faults: the virtual engine does not have this"],
    ["engine: virtual\nhost: linux\n", ":2:7: host: the virtual engine has no linux host"],
    ["engine: virtul\n", ':1:9: engine: "virtul"', "did you mean virtual?"],
    ["engines: []\n", ":1:10: engines: an empty list"],
    ["engines: virtual\n", ':1:10: engines: "virtual" is not a list'],
    ["engines: [virtual, fake]\n", ':1:20: engines[1]: "fake" is not an engine'],
    ["engine: virtual\nsead: 7\n", ':2:1: unknown key "sead" (did you mean seed?)'],
    ["vcpus:\n  - count: 1025\n", ":2:3: vcpus: 1025 vCPUs in all are too many for the real engine"],
    ["timeline: 3\n", ":1:11: timeline: 3 is not a list"],
  ];
  const EVENTS: readonly (readonly [event: string, ...parts: string[]])[] = [
    ["at: 1s, event: suspnd, for: 1s", '[0].event: "suspnd" is not an event', "did you mean suspend?"],
    ["at: 1s, event: suspend", "[0].for: nothing is not a duration"],
    ["event: suspend, for: 1s", "[0].at: nothing is not a duration"],
    ["at: 1s, event: offline, for: 1s", "[0]: offline names no vCPU; accepted: at, event, for, vcpu"],
    ["at: 1s, event: suspend, for: 1s, vcpu: 1", "[0].vcpu: suspend has no vcpu; accepted: at, event, for"],
    ["at: 1s, event: migrate, for: 1s, vcpu: 1", "migrate has no vcpu; accepted: at, event, for, stealFeature, tscKhz"],
    ["at: 1s, event: offline, for: 1s, vcpu: 0, tscKhz: 2000000", "offline has no tscKhz"],
    ["at: 1s, event: migrate, for: 1s, tscKhz: 5", "[0].tscKhz: 5 is not a TSC frequency in kHz"],
    ["at: 1s, event: suspend, fro: 1s, for: 1s", 'unknown key "fro" (did you mean for?)', "accepted: at, event, for"],
    ["at: 3s, event: suspend, for: 1s", "[0].at: suspend at 3s never happens", "less than the duration, 3s"],
    ["at: 1s, event: suspend, for: 1ns", "[0].for: suspend for 1ns is out of range", "1us to 100d"],
  ];
  const events = EVENTS.map(([event, ...parts]) => [`engine: virtual\ntimeline: [{ ${event} }]\n`, ...parts] as const);
  for (const [index, [text, ...parts]] of [...FILES, ...events].entries()) {
    test(`a file with ${JSON.stringify(text)}`, async () => {
      const file = join(folder, `${index}.yaml`);
      writeFileSync(file, text);
      const [first = "", ...rest] = parts;
      await assertRefused(`--scenario ${file}`, [first.startsWith(":") ? file + first : first, ...rest]);
    });
  }
});

describe("a seed that was drawn", () => {
  const LINE = `stealclock: seed ${DRAWN_SEED}; to repeat this run: stealclock emulate --engine virtual`;

  test("is told, with what repeats the run", async () => {
    const { stderr, scenario } = await virtual("--vcpus 4 --workload 0=duty:50%/10ms");
    assert.equal(scenario?.seed, DRAWN_SEED);
    const [line] = stderr.split("\n");
    assert.equal(line, `${LINE} --vcpus 4 --workload 0=duty:50%/10ms --seed ${DRAWN_SEED}`);
    const again = await cli((line ?? "").replace(/^.*: stealclock /, "").split(" "));
    assert.deepEqual(again.scenario, scenario);
    assert.ok(!again.stderr.includes("to repeat"), "a seed that was given is known");
  });

  test("is told with --json on stderr, and not with --quiet", async () => {
    const { stdout, stderr } = await virtual("--json");
    assert.equal(stderr, `${LINE} --json --seed ${DRAWN_SEED}\n`);
    assert.equal(JSON.parse(stdout).seed, DRAWN_SEED);
    assert.equal((await virtual("--quiet")).stderr, "");
  });

  test("is told by a quiet run that broke", async () => {
    const invariants = [{ name: "no torn read", status: "broken", detail: "3 torn" } as const];
    const emulate = async (scenario: Scenario) => runResult(scenario, { ok: false, invariants });
    const { stderr } = await virtual("--quiet", { emulate });
    assert.ok(stderr.includes(`The seed was ${DRAWN_SEED}.\n`), stderr);
  });

  test("is none of the real engine's", async () => {
    const { stderr, scenario } = await cli(["emulate"]);
    assert.equal(scenario?.seed, 0);
    assert.ok(!stderr.includes("seed"));
  });

  test("words that a shell would take apart are quoted", () => {
    assert.equal(commandLine(["a", "0=hog,1-3=-5", "duty:70%/10ms"]), "a 0=hog,1-3=-5 duty:70%/10ms");
    assert.equal(commandLine(["my file", "it's", "", "$x", "a\nb"]), "'my file' 'it'\\''s' '' '$x' 'a\nb'");
  });
});

describe("flags of a run", () => {
  async function optionsOf(args: string): Promise<EmulateOptions> {
    const asked: EmulateOptions[] = [];
    const emulate = async (scenario: Scenario, options: EmulateOptions) => {
      asked.push(options);
      return runResult(scenario);
    };
    const { stderr } = await virtual(args, { emulate });
    const [options] = asked;
    assert.ok(options !== undefined, stderr);
    return options;
  }

  test("reach the engine", async () => {
    const pages = join(folder, "new", "pages");
    const file = join(folder, "events.jsonl");
    const options = await optionsOf(`--until 1.5s --dump-pages ${pages} --events ${file} --no-checks`);
    assert.equal(options.untilNs, 1.5 * NS_PER_SECOND);
    assert.equal(options.dumpPages, pages);
    assert.deepEqual(options.events, { file, maxBytes: 64 * 1024 * 1024 });
    assert.equal(options.checks, false);
    assert.ok(existsSync(pages), "the folder is created");
    assert.ok(!existsSync(file), "the file is the engine's to write");
    assert.equal((await optionsOf(`--events ${file} --events-limit 4KiB`)).events?.maxBytes, 4096);
    for (const args of ["--check-protocol", "--check-protocol --full-checks", "--engine real --check-protocol"]) {
      assert.equal((await optionsOf(args)).checkProtocol, true, args);
    }
  });

  test("that are not given ask for nothing", async () => {
    const { untilNs, dumpPages, events, checks, checkProtocol, onProgress, onSample } = await optionsOf("");
    const asked = [untilNs, dumpPages, events, checks, checkProtocol, onProgress, onSample];
    assert.deepEqual(asked, Array(7).fill(undefined));
  });

  test("create nothing when the scenario is only printed", async () => {
    const pages = join(folder, "not-there");
    await virtual(`--print-config --dump-pages ${pages}`);
    assert.ok(!existsSync(pages));
  });

  test("sizes are in bytes or in powers of 1024", () => {
    assert.deepEqual(
      ["1", "10", "1KiB", "64MiB", "1024GiB"].map((text) => asSize(text)),
      [1, 10, 1024, 67_108_864, 2 ** 40],
    );
    for (const text of ["", "0", "-1", "1.5MiB", "64MB", "64 MiB", "1025GiB", "KiB", "1e3", "9".repeat(15)]) {
      assert.throws(() => asSize(text), Refused, text);
    }
  });
});

describe("while it runs", () => {
  const ERASE = "\r\u001B[K";
  /** An engine that says how far it is, samples and logs. */
  async function running(scenario: Scenario, { onProgress, onSample, onLog }: EmulateOptions) {
    onProgress?.(scenario.durationNs / 4);
    onLog?.({ level: "warn", part: "machine", message: "odd" });
    onSample?.(sampleOf(2, 1e9));
    onProgress?.(scenario.durationNs / 2);
    return runResult(scenario);
  }
  const onTerminal = (args: string, env = {}) => {
    const [stdout, stderr] = [new Captured(TERMINAL), new Captured(TERMINAL)];
    return virtual(args, { emulate: running, stdout, stderr, env });
  };

  test("a terminal gets one line that is gone at the end", async () => {
    const { stdout, stderr } = await onTerminal("--duration 55d --seed 1");
    const [, first, gone, second, end, ...rest] = stderr.split(ERASE);
    assert.deepEqual(
      [first, gone, second, end, rest],
      ["13.7 d of 55 d, 25 %", "", "13.7 d of 55 d, 25 %", "27.5 d of 55 d, 50 %", [""]],
    );
    assert.ok(!stdout.includes("s left"), "no live view");
    assert.match(stdout, /what the guest believes/);
  });

  test("--until is the whole of it", async () => {
    const { stderr } = await onTerminal("--duration 10s --until 5s --seed 1");
    assert.match(stderr, /^stealclock: 2 vCPUs on 1 pCPU for 5 s of virtual time\n/);
    assert.ok(stderr.includes("5.0 s of 5 s, 100 %"), stderr);
  });

  test("nobody else gets it", async () => {
    for (const args of ["--json", "--quiet", "--no-live", "--sample 1s"]) {
      const { stderr } = await onTerminal(`--seed 1 ${args}`);
      assert.ok(!stderr.includes(" %,") && !stderr.includes(ERASE), args);
    }
    assert.ok(!(await onTerminal("--seed 1", { TERM: "dumb" })).stderr.includes(ERASE));
    const { stderr } = await virtual("--seed 1", { emulate: running });
    assert.equal(stderr, "stealclock: 2 vCPUs on 1 pCPU for 3 s of virtual time\n");
  });

  test("samples that go to a file leave the terminal to it", async () => {
    const stderr = new Captured(TERMINAL);
    const { stdout } = await virtual("--seed 1 --sample 1s", { emulate: running, stderr });
    assert.deepEqual(JSON.parse(stdout), sampleOf(2, 1e9));
    assert.ok(stderr.text.includes("1.5 s of 3 s, 50 %"));
  });

  test("a run that fails leaves no line behind", async () => {
    const stderr = new Captured(TERMINAL);
    const emulate = async (_: Scenario, { onProgress }: EmulateOptions) => {
      onProgress?.(1);
      return Promise.reject(new TypeError("oops"));
    };
    await virtual("--seed 1", { emulate, stderr });
    assert.ok(stderr.text.indexOf("internal error") > stderr.text.lastIndexOf(ERASE));
  });

  test("progress is in the largest unit of which there are two", () => {
    const day = 86_400 * NS_PER_SECOND;
    assert.equal(progressText(12.34 * day, 55 * day), "12.3 d of 55 d, 22 %");
    assert.equal(progressText(0.5 * day, 1.5 * day), "12.0 h of 36 h, 33 %");
    assert.equal(progressText(NS_PER_SECOND, 60 * NS_PER_SECOND), "1.0 s of 60 s, 1 %");
    assert.equal(progressText(150 * NS_PER_SECOND, 150 * NS_PER_SECOND), "2.5 min of 2.5 min, 100 %");
    assert.equal(progressText(1.9999 * NS_PER_SECOND, 2 * NS_PER_SECOND), "1.9 s of 2 s, 99 %");
    assert.equal(progressText(NS_PER_MS, 300 * NS_PER_MS), "1.0 ms of 300 ms, 0 %");
    assert.equal(progressText(0, 0), "0.0 ms of 0 ms, 100 %");
  });
});

describe("JSON in pieces", () => {
  const print = (document: object) => [...jsonPieces(document)].join("");

  test("is what JSON.stringify prints", async () => {
    const { scenario } = await virtual("--vcpus 3");
    assert.ok(scenario !== null);
    const result = { ...runResult(scenario), samples: [sampleOf(3, 1), sampleOf(3, 2)] };
    for (const document of [
      result,
      {},
      { a: [] },
      { a: 1, b: undefined, c: [undefined, 2, [3, { d: "\n" }]], e: {} },
    ]) {
      assert.equal(print(document), `${JSON.stringify(document, null, 2)}\n`);
    }
  });

  test("has a piece for each vCPU and sample", () => {
    const pieces = [...jsonPieces({ vcpus: Array.from({ length: 1000 }, (_, id) => ({ id })) })];
    assert.ok(pieces.length > 1000);
    assert.ok(pieces.every((piece) => piece.length < 40));
  });
});

test("--help lists the flags of the virtual engine by themselves", async () => {
  const { stdout } = await cli(["emulate", "--help"]);
  const [, group = ""] = stdout.split("The virtual engine only:");
  const [own = ""] = group.split("What is shown:");
  const settings = ["seed", "start-at", "jitter", "wake-latency", "host-noise"];
  for (const flag of [...settings, "until", "dump-pages", "events", "events-limit", "no-checks"]) {
    assert.match(own, new RegExp(`^ +--${flag} `, "m"));
  }
  assert.match(stdout, /--engine <kind>/);
  assert.doesNotMatch(own, /--check-protocol/);
  assert.match(stdout, /^ +--check-protocol /m);
});
