import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Machine } from "../src/engine/machine.js";
import { cli, MACHINE } from "./cli-helpers.js";

const folder = mkdtempSync(join(tmpdir(), "stealclock-"));
after(() => rmSync(folder, { recursive: true }));

async function assertRefused(
  argv: readonly string[],
  parts: readonly string[],
  machine: Machine = MACHINE,
): Promise<void> {
  const { exitCode, stdout, stderr, scenario } = await cli(argv, { machine: () => machine });
  assert.equal(exitCode, 2, stderr);
  assert.equal(scenario, null, "nothing may be started");
  assert.equal(stdout, "");
  for (const part of parts) assert.ok(stderr.includes(part), `${JSON.stringify(part)} is not in:\n${stderr}`);
  assert.ok(!stderr.includes("    at "), "no stack trace");
}

/** Arguments of emulate, then what the message must contain. */
const REFUSED_FLAGS: readonly (readonly [args: string, ...parts: string[]])[] = [
  ["--vcpu 2", "unknown option '--vcpu'", "Did you mean --vcpus?"],
  ["--frobnicate", "unknown option '--frobnicate'"],
  ["--vcpus", "--vcpus <n>", "argument missing"],
  ["extra", "too many arguments"],
  ["--vcpus 0", "--vcpus: 0", "from 1 to 1024"],
  ["--vcpus 1025", "--vcpus: 1025", "from 1 to 1024"],
  ["--vcpus -1", "--vcpus: -1", "from 1 to 1024"],
  ["--vcpus 2.5", '--vcpus: "2.5"', "from 1 to 1024"],
  ["--vcpus 99999999999999999999", "--vcpus:", "from 1 to 1024"],
  ["--vcpus two", '--vcpus: "two"', "from 1 to 1024"],
  ["--vcpus --json", '--vcpus: "--json"', "from 1 to 1024"],
  ["--duration 3", "--duration: 3 is not a duration", "ns, us, ms, s, m, h, d"],
  ["--duration 3sec", '--duration: "3sec"', "such as 4ms"],
  ["--duration 0s", "--duration: duration 0s is out of range", "1ms to 100d"],
  ["--duration 101d", '--duration: "101d"', "up to 100d"],
  ["--duration -3s", '--duration: "-3s"'],
  ["--host kvm", '--host: "kvm"', "fair, linux"],
  ["--host lunix", "did you mean linux?"],
  ["--pcpus 0", "--pcpus: 0", "from 1 to 1024"],
  ["--slice 99us", "--slice: slice 99us is out of range", "100us to 10s"],
  ["--slice 11s", "--slice: slice 11s is out of range", "100us to 10s"],
  ["--update never", '--update: "never"', "entry, pcpu-change, steal-entry, periodic=1ms"],
  ["--update periodic=10us", "--update: update period 10us", "100us to 1s"],
  ["--update periodic", '--update: "periodic"', "periodic=1ms"],
  ["--measure run", '--measure: "run"', "out-of-guest, wait"],
  ["--steal-unit us", '--steal-unit: "us"', "ms, ns"],
  ["--accounting rfc", '--accounting: "rfc"', "none, rfc-v2, mainline"],
  ["--hz 1024", "--hz: 1024", "100, 250, 300, 1000"],
  ["--tick-phase 4ms", "--tick-phase: tick phase 4ms", "less than one tick, 4ms"],
  ["--tsc-khz 99999", "--tsc-khz: 99999", "from 100000 to 10000000"],
  ["--watchdog off", '--watchdog: "off"', "steal-aware, plain"],
  [
    "--watchdog-threshold 1s --watchdog-period 1s",
    "--watchdog-period: watchdog period 1s",
    "less than the threshold, 1s",
  ],
  ["--watchdog-threshold 1us", "--watchdog-threshold: watchdog threshold 1us", "1ms to 100d"],
  ["--workload hgo", '--workload: "hgo"', "hog, kernel, duty:70%/10ms", "did you mean hog?"],
  ["--workload 0-3=hog", "--workload: names vCPUs 2-3, not there", "vCPUs 0 to 1"],
  ["--vcpus 1 --workload 1=hog", "--workload: names vCPU 1, not there", "there is one vCPU, 0"],
  ["--workload 0=hog,0=idle", "vCPU 0 is named twice"],
  ["--workload duty:0%/10ms", "--workload: 0s busy of each 10ms", "1 % to 99 %"],
  ["--workload duty:100%/10ms", "--workload: 10ms busy of each 10ms", "1 % to 99 %"],
  ["--workload duty:50%/20s", "--workload: duty period 20s", "1ms to 10s"],
  ["--nice 20", "--nice: 20", "from -20 to 19"],
  ["--nice 0=-21", "--nice: -21", "from -20 to 19"],
  ["--pin 1=4", "--pin: vCPU 1 is pinned to pCPU 4, which is not there", "there is one pCPU, 0"],
  ["--pcpus 2 --pin 1-2", "--pin: vCPU 0 is pinned to pCPU 2", "there are pCPUs 0 to 1"],
  ["--host-task idle", '--host-task: "idle"', "hog, duty:50%/10ms"],
  ["--host-task hog@nice=99", "--host-task: 99", "from -20 to 19"],
  ["--host-task hog@pcpus=3", "--host-task: host task 1 is pinned to pCPU 3"],
  ["--poll 1ms", "--poll: the fair host does not have this", "--host linux"],
  ["--host linux --poll 10us", "--poll: poll interval 10us", "100us to 1s"],
  ["--host linux --pcpus 1", "--pcpus: the linux host does not have this", "--host fair"],
  ["--host linux --slice 4ms", "--slice: the linux host does not have this"],
  ["--host linux --update entry", "--update: the linux host does not have this"],
  ["--host linux --measure wait", "--measure: the linux host does not have this"],
  ["--host linux --nice 5", "--nice: the linux host does not have this"],
  ["--host linux --pin 0", "--pin: the linux host does not have this"],
  ["--host linux --host-task hog", "--host-task: the linux host does not have this"],
  [
    "--scenario pinned-smp --engine real --host linux",
    "pinned-smp.yaml:",
    ":1",
    "pcpus: the linux host does not have this",
  ],
  ["--scenario defalt", "defalt: no such file", "stealclock scenarios list", "did you mean default?"],
  ["--scenario /no/such.yaml", "/no/such.yaml: no such file"],
  [`--scenario ${tmpdir()}`, "this is a folder"],
  ["--sample 1ms", "--sample:", "10ms to 1d"],
  ["--sample 1", "--sample: ", "is not a duration"],
  ["--log-level loud", "--log-level:", "trace, debug, info, warn, error, fatal, silent"],
];

for (const [args, ...parts] of REFUSED_FLAGS) {
  test(`emulate ${args} is refused`, () => assertRefused(["emulate", ...args.split(" ")], parts));
}

test("an unknown command, or none, is refused", async () => {
  await assertRefused(["emulat"], ["unknown command 'emulat'", "Did you mean emulate?"]);
  await assertRefused([], ["Usage: stealclock"]);
});

/** Text of a scenario file, then what the message must contain after the file's name. */
const REFUSED_FILES: readonly (readonly [text: string, ...parts: string[]])[] = [
  ["", ":1:1: nothing in it", "a map of settings"],
  ["# only a comment\n", "nothing in it"],
  ["- vcpus\n", ":1:1: not a map", "a map of settings"],
  ["vcpus: [\n", ":2:1: ", "one YAML document"],
  ["\tvcpus: 2\n", ":1:1: Tabs are not allowed"],
  ["vcpus: 2\nvcpus: 3\n", ":2:1: Map keys must be unique", "each key once"],
  ["vcpus: 2\n---\nvcpus: 3\n", ":2:1: a second document"],
  ["vcpus: 2\nslice: *x\n", ":2:8: Unresolved alias", "whose aliases resolve"],
  ["? {a: b}\n: 1\n", ":1:1: unknown key"],
  ["vcpus: 2\ntsc-khz: 5\n", ':2:1: unknown key "tsc-khz" (did you mean tscKhz?)', "accepted: description, host"],
  ["__proto__: 1\n", ':1:1: unknown key "__proto__"'],
  [
    "vcpus:\n  - workload: hog\n    nise: 3\n",
    ':3:5: unknown key "nise" (did you mean nice?)',
    "count, workload, nice",
  ],
  ["slice:\n", ":1:1: slice: nothing is not a duration"],
  ["vcpus: 2\nhz: 123\n", ":2:5: hz: 123", "100, 250, 300, 1000"],
  ['vcpus: "4"\n', ':1:8: vcpus: "4"', "from 1 to 1024"],
  ["vcpus: []\n", ":1:8: vcpus: an empty list", "at least one"],
  ["vcpus: [3]\n", ":1:9: vcpus[0]: 3 is not a map"],
  ["vcpus:\n  - count: 1000\n  - count: 25\n", ":2:3: vcpus: 1025 vCPUs in all", "from 1 to 1024"],
  ["vcpus:\n  - count: 200000\n", ":2:12: vcpus[0].count: 200000", "from 1 to 1024"],
  ["vcpus:\n  - workload: hgo\n", ':2:15: vcpus[0].workload: "hgo"', "did you mean hog?"],
  ["vcpus:\n  - {}\n  - phase: 4ms\n", ":3:12: vcpus[1].phase: tick phase 4ms", "less than one tick"],
  ["vcpus:\n  - gpa: -64\n", ":2:10: vcpus[0].gpa: -64"],
  ["vcpus:\n  - gpa: 9007199254740993\n", ":2:10: vcpus[0].gpa:", "is not an address"],
  ["pcpus: 1\nvcpus:\n  - {}\n  - pcpus: [0, 1]\n", ":4:12: vcpus[1].pcpus: vCPU 1 is pinned to pCPU 1", "one pCPU, 0"],
  ["tickPhase: 5ms\n", ":1:12: tickPhase: tick phase 5ms"],
  ["watchdogThreshold: 1s\nwatchdogPeriod: 2s\n", ":2:17: watchdogPeriod: watchdog period 2s"],
  ["stealFeature: no\n", ':1:15: stealFeature: "no"', "true, false"],
  ["hostTasks: hog\n", ':1:12: hostTasks: "hog" is not a list'],
  ["hostTasks:\n  - hog@nice=99\n", ":2:5: hostTasks[0]: 99", "from -20 to 19"],
  ["hostTasks:\n  - workload: idle\n", ':2:15: hostTasks[0].workload: "idle"'],
  ["hostTasks:\n  - nice: 3\n", ":2:5: hostTasks[0].workload: nothing"],
  ["hostTasks:\n  - workload: hog\n    nise: 3\n", ":3:5: unknown key", "did you mean nice?"],
  ["hostTasks:\n  - workload: hog\n    pcpus: 7\n", ":3:12: hostTasks[0].pcpus: host task 1 is pinned to pCPU 7"],
  ["faults:\n  - {part: 2, kind: throw, after: 1ms}\n", ":2:12: faults[0].part: there is no vCPU 2", "hypervisor"],
  ["faults:\n  - {part: all, kind: throw, after: 1ms}\n", ":2:12: faults[0].part:"],
  [
    "faults:\n  - {part: 0, kind: explode, after: 1ms}\n",
    ':2:21: faults[0].kind: "explode"',
    "throw, exit, out-of-memory",
  ],
  ["faults:\n  - {part: 0, kind: exit, after: 3s}\n", ":2:34: faults[0].after: a fault after 3s never happens"],
  ["faults:\n  - {part: 0, kind: exit}\n", ":2:5: faults[0].after: nothing"],
  ["host: linux\nslice: 4ms\n", ":2:8: slice: the linux host does not have this"],
  ["host: linux\nvcpus:\n  - nice: 3\n", ":3:11: vcpus[0].nice: the linux host does not have this"],
  ["poll: 1ms\n", ":1:7: poll: the fair host does not have this"],
  ["workload: 5=hog\n", ":1:11: workload: names vCPU 5, not there"],
];

for (const [index, [text, ...parts]] of REFUSED_FILES.entries()) {
  test(`a file with ${JSON.stringify(text)} is refused`, async () => {
    const file = join(folder, `${index}.yaml`);
    writeFileSync(file, text);
    const [first = "", ...rest] = parts;
    await assertRefused(["emulate", "--scenario", file], [first.startsWith(":") ? file + first : first, ...rest]);
  });
}

test("every refusal of a file is told at once, each on a line of its own", async () => {
  const file = join(folder, "two.yaml");
  writeFileSync(file, "hz: 1\nslice: x\n");
  const { stderr } = await cli(["emulate", "--scenario", file]);
  assert.equal(stderr.trimEnd().split("\n").length, 2);
});

test("a flag that makes a file's setting wrong is told with the file's line", async () => {
  const file = join(folder, "phase.yaml");
  writeFileSync(file, "tickPhase: 3ms\n");
  await assertRefused(["emulate", "--scenario", file, "--hz", "1000"], [`${file}:1:12: tickPhase: tick phase 3ms`]);
});

test("one flag that is wrong for every vCPU is told once", async () => {
  const { stderr } = await cli(["emulate", "--vcpus", "1024", "--tick-phase", "4ms"]);
  assert.equal(stderr.trimEnd().split("\n").length, 1);
});

test("the linux host needs Linux and schedstat", async () => {
  const argv = ["emulate", "--host", "linux"];
  await assertRefused(argv, ["--host: the linux host needs Linux, this is darwin"], { ...MACHINE, platform: "darwin" });
  await assertRefused(argv, ["/proc/self/schedstat"], { ...MACHINE, schedstat: false });
});

test("too little memory is refused", async () => {
  const machine = { ...MACHINE, availableBytes: 1e9 };
  await assertRefused(
    ["emulate", "--vcpus", "200"],
    ["--vcpus: 200 vCPUs need about", "1000 MB", "at most 104 vCPUs"],
    machine,
  );
  const { exitCode } = await cli(["emulate", "--vcpus", "104"], { machine: () => machine });
  assert.equal(exitCode, 0);
});
