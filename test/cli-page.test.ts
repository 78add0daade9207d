import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { exactTime } from "../src/cli/format.js";
import { Captured, type CliOutcome, cli } from "./cli-helpers.js";
import { encodePvclock } from "./fixtures/pvclock-struct.js";
import { isLive, load, structOf } from "./fixtures/recordings.js";
import { encodeStealTime } from "./fixtures/steal-time-struct.js";

const folder = mkdtempSync(join(tmpdir(), "stealclock-"));
after(() => rmSync(folder, { recursive: true }));

/** A file with structures at offsets, zero elsewhere. */
function dumpFile(name: string, bytes: number, parts: Readonly<Record<number, Uint8Array>> = {}): string {
  const memory = new Uint8Array(bytes);
  for (const [offset, part] of Object.entries(parts)) memory.set(part, Number(offset));
  const file = join(folder, name);
  writeFileSync(file, memory);
  return file;
}

async function page(...argv: string[]): Promise<CliOutcome> {
  const outcome = await cli(["page", ...argv]);
  assert.equal(outcome.exitCode, 0, outcome.stderr);
  assert.equal(outcome.stderr, "");
  return outcome;
}

async function json(...argv: string[]) {
  return JSON.parse((await page("--json", ...argv)).stdout);
}

async function assertRefused(argv: readonly string[], ...parts: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await cli(["page", ...argv]);
  assert.equal(exitCode, 2, stderr);
  assert.equal(stdout, "");
  for (const part of parts) assert.ok(stderr.includes(part), `${JSON.stringify(part)} is not in:\n${stderr}`);
  assert.ok(!stderr.includes("    at "), "no stack trace");
}

/** The line of a field, and those that its meaning goes on in, as one. */
function fieldOf(stdout: string, field: string): string {
  const lines = stdout.split("\n");
  const start = lines.findIndex((line) => line.trim().split(/\s+/)[1] === field);
  assert.notEqual(start, -1, `no ${field} in:\n${stdout}`);
  const rest = lines.slice(start + 1);
  const more = rest.slice(
    0,
    rest.findIndex((line) => !line.startsWith(" ".repeat(10))),
  );
  return [lines[start], ...more].join(" ").trim().replace(/\s+/g, " ");
}

const ROWS = load("kvm-pages-contention").pages.filter(isLive);
const ROW = ROWS[ROWS.length - 1];
const PVCLOCK = encodePvclock(structOf(ROW));
const STEAL_TIME = encodeStealTime({
  stealNs: BigInt(ROW.st.steal),
  version: ROW.st.ver,
  flags: 0,
  preempted: 1,
});

test("a page of a real guest, with a structure for each of its CPUs", async () => {
  const parts = Object.fromEntries(ROWS.slice(0, 64).map((row, cpu) => [cpu * 64, encodePvclock(structOf(row))]));
  const file = dumpFile("real.bin", 4096, parts);
  const { schema, bytes, format, structs, ...rest } = await json(file);
  assert.deepEqual([schema, bytes, format], ["stealclock.page/1", 4096, "pvclock"]);
  assert.deepEqual(rest, { file });
  assert.equal(structs.length, 64);
  const { pvc } = ROWS[63];
  assert.deepEqual(structs[63], {
    offset: 63 * 64,
    version: pvc.ver,
    updates: pvc.ver / 2,
    beingWritten: false,
    stealMs: null,
    pad0: 0,
    tscTimestamp: String(pvc.tsc_ts),
    systemTimeNs: String(pvc.sys_time),
    tscToSystemMul: 3_303_823_538,
    tscShift: -1,
    flags: ["TSC_STABLE"],
    stealNs: null,
    tscKhz: 2_599_998,
    doubts: [],
  });
});

test("each field has its raw value and what it means", async () => {
  const bytes = encodePvclock({
    version: 752,
    stealMs: 90_061_001,
    tscTimestamp: 0x1000_0000_0000_0003n,
    systemTimeNs: 99_999_000_000_005n,
    tscToSystemMul: 3_303_823_538,
    tscShift: -1,
    flags: 0b1110,
    stealNs: 90_061_001_234_567n,
  });
  const { stdout } = await page(dumpFile("ours.bin", 4096, { 128: bytes }));
  assert.match(stdout, /^.*ours\.bin: 4096\s+bytes, 1 pvclock structure at 64 offsets/);
  assert.match(stdout, /^offset 128 \(0x80\)$/m);
  assert.equal(fieldOf(stdout, "version"), "0 version 0x000002f0 even: complete, 376 updates so far");
  assert.equal(
    fieldOf(stdout, "steal"),
    "4 steal 0x055e38c9 90061001 ms = 1d 1h 1m 1.001s of steal, modulo 2^32 ms (49.7 days)",
  );
  assert.equal(fieldOf(stdout, "tsc_timestamp"), "8 tsc_timestamp 0x1000000000000003 1152921504606846979 cycles");
  assert.equal(
    fieldOf(stdout, "system_time"),
    "16 system_time 0x00005af2d4df7605 1d 3h 46m 39.000000005s at that cycle",
  );
  assert.equal(
    fieldOf(stdout, "tsc_to_system_mul"),
    "24 tsc_to_system_mul 0xc4ec58b2 TSC of 2599.998 MHz, with the shift",
  );
  assert.equal(fieldOf(stdout, "tsc_shift"), "28 tsc_shift 0xff cycles >> 1");
  assert.equal(fieldOf(stdout, "flags"), "29 flags 0x0e GUEST_STOPPED, STEAL_MS, STEAL_NS");
  assert.equal(fieldOf(stdout, "pad"), "30 pad 0x0000 zero");
  assert.equal(fieldOf(stdout, "steal_ns"), "32 steal_ns 0x000051e8f5fc9887 1d 1h 1m 1.001234567s of steal");
  assert.match(
    stdout.replace(/\s+/g, " "),
    /clock in ns = 99999000000005 \+ \(\(\(\(tsc - 1152921504606846979\) >> 1\) \* 3303823538\) >> 32\)/,
  );
});

test("without the steal flag the field is pad0; a page may carry other shifts", async () => {
  const bytes = encodePvclock({ ...structOf(ROW), tscShift: 1 });
  const { stdout } = await page(dumpFile("shift.bin", 32, { 0: bytes }));
  assert.equal(fieldOf(stdout, "pad0"), "4 pad0 0x00000000 unused: the steal flag is not set");
  assert.equal(fieldOf(stdout, "tsc_shift"), "28 tsc_shift 0x01 cycles << 1");
  assert.match(stdout, /\(tsc - \d+\) << 1/);
  const plain = await page(dumpFile("plain.bin", 32, { 0: encodePvclock({ ...structOf(ROW), tscShift: 0 }) }));
  assert.equal(fieldOf(plain.stdout, "tsc_shift"), "28 tsc_shift 0x00 none");
});

test("an odd version is a page that is being written, or whose writer died", async () => {
  const file = dumpFile("odd.bin", 64, { 0: encodePvclock({ ...structOf(ROW), version: 7 }) });
  const { stdout } = await page(file);
  assert.match(fieldOf(stdout, "version"), /odd: being written, or its writer died; 3 updates complete/);
  const { structs } = await json(file);
  assert.deepEqual([structs[0].beingWritten, structs[0].updates], [true, 3]);
});

test("steal in ns that the file ends before is said to be missing", async () => {
  const bytes = encodePvclock({ ...structOf(ROW), flags: 8 });
  const { stdout } = await page(dumpFile("cut.bin", 32, { 0: bytes }));
  assert.equal(fieldOf(stdout, "steal_ns"), "32 steal_ns - the file ends before it");
});

test("--offset decodes what lies there, and says when no host can have written it", async () => {
  const file = dumpFile("offset.bin", 4096, { 4: PVCLOCK, 4064: PVCLOCK });
  assert.equal((await json("--offset", "4", file)).structs[0].tscKhz, 2_599_998);
  assert.equal((await json("--offset", "0x4", file)).structs[0].tscKhz, 2_599_998);
  assert.equal((await json("--offset", "4064", file)).structs[0].offset, 4064);
  const { stdout } = await page("--offset", "1024", file);
  assert.match(fieldOf(stdout, "version"), /never written/);
  assert.match(fieldOf(stdout, "tsc_to_system_mul"), /no frequency/);
  assert.match(stdout, /^doubtful: version 0: never written$/m);
  assert.ok(!stdout.includes("clock in ns"));
  const wild = new Uint8Array(64).fill(255);
  const all = await page("--offset", "0", dumpFile("wild.bin", 64, { 0: wild }));
  assert.match(fieldOf(all.stdout, "flags"), /STEAL_NS, unknown bit 4, unknown bit 5, unknown bit 6, unknown bit 7/);
  assert.match(fieldOf(all.stdout, "pad"), /not zero/);
});

test("the page of mainline's steal time", async () => {
  const file = dumpFile("steal.bin", 4096, { 64: STEAL_TIME, 128: PVCLOCK });
  const { stdout } = await page("--format", "steal-time", file);
  assert.match(stdout, /1 kvm_steal_time structure at 64\s+offsets/);
  assert.match(
    fieldOf(stdout, "steal"),
    new RegExp(`${ROW.st.steal} ns = ${exactTime(BigInt(ROW.st.steal))} of steal`),
  );
  assert.match(fieldOf(stdout, "version"), new RegExp(`even: complete, ${ROW.st.ver / 2} updates so far`));
  assert.equal(fieldOf(stdout, "flags"), "12 flags 0x00000000 none");
  assert.equal(fieldOf(stdout, "preempted"), "16 preempted 0x01 PREEMPTED");
  assert.equal(fieldOf(stdout, "pad"), "17 pad 47 bytes zero");
  const { format, structs } = await json("--format", "steal-time", file);
  assert.equal(format, "steal-time");
  assert.deepEqual(structs, [
    {
      offset: 64,
      stealNs: String(ROW.st.steal),
      version: ROW.st.ver,
      updates: ROW.st.ver / 2,
      beingWritten: false,
      flags: [],
      preempted: ["PREEMPTED"],
      doubts: [],
    },
  ]);
});

test("no line is wider than the terminal", async () => {
  const file = dumpFile("wide.bin", 4096, {
    0: PVCLOCK,
    64: encodePvclock({ ...structOf(ROW), version: 7, flags: 15 }),
  });
  for (const columns of [30, 40, 60, 80, 200]) {
    const stdout = new Captured({ columns, rows: 24 });
    await cli(["page", file], { stdout });
    for (const line of stdout.text.split("\n")) assert.ok(line.length <= columns, `${columns}: ${line}`);
    assert.equal(stdout.text.match(/^offset /gm)?.length, 2);
  }
});

test("a file that cannot be read, or is too short or too long", async () => {
  const accepted = "accepted: a raw dump of guest memory up to 1 MiB";
  await assertRefused([join(folder, "none.bin")], "none.bin: no such file", accepted);
  await assertRefused([folder], "this is a folder", accepted);
  await assertRefused([dumpFile("empty.bin", 0)], "empty.bin: the file is empty", accepted);
  await assertRefused([dumpFile("short.bin", 31)], "31 bytes are too short", "accepted: 32 bytes or more");
  await assertRefused([dumpFile("short.bin", 63), "--format", "steal-time"], "63 bytes", "accepted: 64 bytes or more");
  await assertRefused([dumpFile("long.bin", 1_048_577)], "long.bin: more than 1048576 bytes", accepted);
  assert.equal((await json(dumpFile("full.bin", 1_048_576, { 1048512: PVCLOCK }))).structs[0].offset, 1_048_512);
});

test("a file with no such structure: what was looked for, and what is there", async () => {
  const looked = "looked for at 64 offsets: a version other than 0, a multiplier and shift of a TSC";
  await assertRefused([dumpFile("zero.bin", 4096)], "zero.bin: no pvclock structure", "all zero", looked, "--offset");
  const steal = dumpFile("other.bin", 4096, { 64: STEAL_TIME });
  await assertRefused(
    [steal],
    "other.bin: no pvclock structure",
    "1 kvm_steal_time structure in it: --format steal-time",
  );
  await assertRefused([dumpFile("pv.bin", 64, { 0: PVCLOCK }), "--format", "steal-time"], "--format pvclock");
});

test("flags that are not accepted", async () => {
  const file = dumpFile("flags.bin", 4096, { 0: PVCLOCK });
  for (const offset of ["3", "-4", "4.5", "", "x", "0x", "1e2"]) {
    await assertRefused([file, `--offset=${offset}`], `--offset: "${offset}" is not an offset`, "a multiple of 4");
  }
  await assertRefused([file, "--offset", "4068"], "--offset:", "flags.bin", "accepted: 0 to 4064");
  await assertRefused(
    [file, "--format", "pvclok"],
    '--format: "pvclok"',
    "pvclock, steal-time",
    "did you mean pvclock?",
  );
  await assertRefused([], "missing required argument 'file'", "see stealclock page --help");
  await assertRefused([file, "--jsn"], "unknown option", "see stealclock page --help");
  assert.match((await page("--help")).stdout, /Examples:\n {2}stealclock page/);
});

test("lengths of time to the nanosecond", () => {
  assert.deepEqual([0n, 1n, 1_500_000_000n, 60_000_000_000n, 86_403_000_000_000n, 2n ** 64n - 1n].map(exactTime), [
    "0s",
    "0.000000001s",
    "1.5s",
    "1m 0s",
    "1d 0h 0m 3s",
    "213503d 23h 34m 33.709551615s",
  ]);
});
